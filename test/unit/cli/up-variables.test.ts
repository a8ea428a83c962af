import { Command } from "commander";
import { expect, test } from "vitest";
import { addVariableFlags, variablesOf } from "../../../src/cli/up-variables.ts";
import { readLimits } from "../../../src/proxy/limits.ts";

/** The variables of a command line and an environment. */
function variables(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = new Command("up").exitOverride();
  addVariableFlags(command);
  command.parse([...args], { from: "user" });
  return variablesOf(command.opts(), env);
}

test("[L85] each option of waggle up sets its variable, and the data plane can read it", () => {
  const set = variables([
    ...["--head-timeout", "60s", "--try-timeout", "0", "--silence", "1500", "--body-timeout", "2m"],
    ...["--hedge", "false", "--retries", "1", "--replay", "128k"],
  ]);
  expect(set).toEqual({
    HEAD_TIMEOUT_MS: "60000",
    TRY_TIMEOUT_MS: "0",
    SILENT_MS: "1500",
    BODY_TIMEOUT_MS: "120000",
    HEDGE: "false",
    RETRIES: "1",
    REPLAY_BYTES: "131072",
  });
  expect(readLimits(set)).toMatchObject({ headTimeoutMs: 60_000, hedge: false, replayBytes: 131_072 });
});

test("[L85] variables of the environment are passed on, and options take precedence", () => {
  const env = { HEAD_TIMEOUT_MS: "5000", RETRIES: "0", TRUSTED_PROXIES: "10.0.0.0/8", HOME: "/root" };
  expect(variables(["--retries", "2"], env)).toEqual({
    HEAD_TIMEOUT_MS: "5000",
    RETRIES: "2",
    TRUSTED_PROXIES: "10.0.0.0/8",
  });
  expect(variables([])).toEqual({});
});

test.each([
  [["--head-timeout", "0"], "must be a duration such as 500ms, 30s or 5m, up to 24h"],
  [["--body-timeout", "soon"], "must be a duration"],
  [["--retries", "4"], "must be a whole number from 0 to 3"],
  [["--hedge", "no"], "must be one of true, false"],
  [["--replay", "2m"], "must be a size in bytes from 0 to 1m, such as 65536 or 64k"],
])("[L85] %j is refused with what would work", (args, message) => {
  expect(() => variables(args)).toThrow(message);
});
