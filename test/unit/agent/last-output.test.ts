import { expect, test } from "vitest";
import { errorText, lastOutput } from "../../../src/agent/logs/last-output.ts";
import { type LogLine, printLogTime } from "../../../src/gateway/logs/log-line.ts";

function linesOf(text: string): LogLine[] {
  return text
    .split(/(?<=\n)/)
    .map((part): LogLine => ({ stream: "stdout", time: printLogTime(1), text: Buffer.from(part) }));
}

test("[N189] colors and empty lines are left out, and of a long text the end is kept", () => {
  expect(errorText(linesOf("\x1b[31mfatal\x1b[0m: x\r\n\n  \n    at main\n"))).toBe("fatal: x | at main");
  expect(errorText(linesOf("\x1b]0;title\x07\n"))).toBe("\x1b]0;title\x07");
  expect(errorText(linesOf(`${"a".repeat(600)}\nend\n`))).toBe(`${"a".repeat(494)} | end`);
  expect(errorText([])).toBe("");
});

test("[N189] output that is not there in time is left out", async () => {
  const readLogs = async function* (): AsyncGenerator<LogLine> {
    yield* linesOf("one\n");
    await new Promise(() => undefined);
  };
  expect(await lastOutput({ readLogs }, "a")).toBe("");
});
