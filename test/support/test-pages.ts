// Tests of pages: their commands, run as a reader runs them, in the order of the page, in one shell, on a machine of
// its own. Comments in the pages say which commands cannot run here, and why.

import { afterEach, describe, expect, test } from "vitest";
import { PagePlace, pageProblem } from "./page-places.ts";
import { isExpectedOutput, type PageCommand, type PlaceName, readPages } from "./pages.ts";

/** Declares a test for each page whose commands run in one of some places. */
export function testPages(places: readonly PlaceName[]): void {
  let machine: PagePlace | null = null;
  afterEach(async () => {
    await machine?.remove();
    machine = null;
  }, 60_000);

  for (const { path, place, blocks } of readPages()) {
    const here = blocks.filter(({ notRun, runBy }) => notRun === null && runBy === null);
    if (place === null || !places.includes(place) || here.length === 0) continue;
    const problem = pageProblem(place);
    describe.skipIf(problem !== null)(problem === null ? path : `${path} (skipped: ${problem})`, () => {
      test(`[U521] the commands of ${path} work, and print what it shows`, async () => {
        machine = await PagePlace.start(place);
        for (const { line, commands } of here)
          for (const command of commands) await follow(machine, `${path}:${line}`, command);
      }, 180_000);
    });
  }
}

/** Runs a command, and compares what it printed with the page. */
async function follow(machine: PagePlace, where: string, command: PageCommand): Promise<void> {
  const text = machine.here(command.text);
  if (command.readyText !== null) return await machine.shell.start(text, command.readyText);
  const deadlineMs = Date.now() + 30_000;
  for (;;) {
    const { code, out } = await machine.shell.run(text);
    const isRight =
      code === command.exitCode &&
      (command.expected === null || isExpectedOutput(machine.here(command.expected), out));
    if (isRight) return;
    if (!command.isRepeated || Date.now() > deadlineMs) {
      const { exitCode, expected } = command;
      expect({ where, text, code, out }).toEqual({ where, text, code: exitCode, out: expected ?? out });
      throw new Error(`${where}: ${text} printed\n${out}`);
    }
  }
}
