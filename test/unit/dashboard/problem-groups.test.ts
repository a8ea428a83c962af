import { expect, test } from "vitest";
import { groupProblems } from "../../../src/dashboard/problem-groups.ts";

test("[G10] tasks are grouped with their service, and tasks with the same reason share a line", () => {
  const why = "last one rejected: No such image";
  const problems = [
    {
      what: "node node2",
      why: "down: heartbeat failure",
      next: "See it.",
      sinceMs: 5,
      severity: "bad" as const,
    },
    { what: "service my-web", why: "0 of 2 tasks running", next: "Wait.", sinceMs: 9 },
    { what: "task my-web.1", why, next: "Correct it.", sinceMs: 7 },
    { what: "task my-web.2", why, next: "Correct it.", sinceMs: 8 },
    { what: "task api.node3", why: "unhealthy", next: "", sinceMs: null },
  ];
  expect(groupProblems(problems)).toEqual([
    {
      what: "node node2",
      sinceMs: 5,
      severity: "bad",
      lines: [{ who: [], why: "down: heartbeat failure", next: "See it." }],
    },
    {
      what: "service my-web",
      sinceMs: 7,
      severity: "warn",
      lines: [
        { who: [], why: "0 of 2 tasks running", next: "Wait." },
        { who: ["my-web.1", "my-web.2"], why, next: "Correct it." },
      ],
    },
    {
      what: "service api",
      sinceMs: null,
      severity: "warn",
      lines: [{ who: ["api.node3"], why: "unhealthy", next: "" }],
    },
  ]);
});
