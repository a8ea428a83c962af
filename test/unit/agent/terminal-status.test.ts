import { expect, test } from "vitest";
import { terminalStatusOf } from "../../../src/agent/terminal-status.ts";

test.each([
  [
    { code: 0, signal: null },
    { state: "complete", message: "finished", err: "", exitCode: 0 },
  ],
  [
    { code: 3, signal: null },
    { state: "failed", err: "task: non-zero exit (3)", exitCode: 3 },
  ],
  [
    { code: 137, signal: null },
    { state: "failed", err: "task: non-zero exit (137)", exitCode: 137 },
  ],
  [
    { code: null, signal: "SIGKILL" },
    { err: "task: non-zero exit (137): killed by SIGKILL", exitCode: 137 },
  ],
  [
    { code: null, signal: "SIGTERM" },
    { err: "task: non-zero exit (143): killed by SIGTERM", exitCode: 143 },
  ],
  [
    { code: null, signal: null },
    { state: "failed", exitCode: null },
  ],
] as const)("[N11] an exit of %o is reported in Docker's words", (exit, status) => {
  expect(terminalStatusOf({ ...exit, isPortTaken: false })).toMatchObject(status);
});

test("[N11] a task whose port another program holds says so", () => {
  const exit = { code: 1, signal: null, isPortTaken: true, detail: "Error: listen EADDRINUSE" };
  expect(terminalStatusOf(exit).err).toBe(
    "task: non-zero exit (1): another program holds its port: Error: listen EADDRINUSE",
  );
});
