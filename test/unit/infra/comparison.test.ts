// The comparison of a Swarm with a mesh: what is left out of it, and what may differ.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { commands } from "../../../infra/lab/compare/commands.ts";
import { differences } from "../../../infra/lab/compare/differences.ts";
import { normalize } from "../../../infra/lab/compare/normalize.ts";

describe("the comparison of a Swarm with a mesh", () => {
  test("[D141] has at least 42 commands", () => {
    expect(commands.length).toBeGreaterThanOrEqual(42);
  });

  test.each(differences)("[D141] has the reason of a difference in the documents: $reason", ({ reason }) => {
    expect(readFileSync(new URL("../../../docs/docker.md", import.meta.url), "utf8")).toContain(reason);
  });

  test.each(differences)("[D141] allows a difference in commands that it runs: $commands", (difference) => {
    expect(commands.some(({ text }) => difference.commands.test(text))).toBe(true);
  });

  test("[D141] leaves out ids, times and the width of columns, and nothing else", () => {
    const out = [
      "ID             NAME    CURRENT STATE            ERROR",
      "mhy5o7ve4354   web.1   Running 25 seconds ago   task: non-zero exit (1)",
      "59ns2pottytf7qr44f9inrpza 2026-11-28T19:40:45.703535112Z web 2/2",
      "",
    ].join("\n");
    expect(normalize({ code: 1, out, err: "Error: no such service: web\n" }).split("\n")).toEqual([
      "exit 1",
      "ID  NAME  CURRENT STATE  ERROR",
      "ID  web.1  Running TIME ago  task: non-zero exit (1)",
      "ID TIME web 2/2",
      "! Error: no such service: web",
    ]);
  });
});
