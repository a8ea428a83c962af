import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultLimits, readLimits } from "../../../src/proxy/limits.ts";

test("[Y25] an absent or empty variable leaves the default", () => {
  expect(readLimits({})).toEqual(defaultLimits);
  expect(readLimits({ HEAD_TIMEOUT_MS: "", SILENT_MS: "" })).toEqual(defaultLimits);
});

test("[Y25] variables set the limits, and 0 turns a timeout off", () => {
  const variables = {
    HEAD_TIMEOUT_MS: "5000",
    TRY_TIMEOUT_MS: "800",
    SILENT_MS: "1500",
    REPLAY_BYTES: "1048576",
  };
  expect(readLimits(variables)).toEqual({
    headTimeoutMs: 5_000,
    tryTimeoutMs: 800,
    frozenMs: 1_500,
    replayBytes: 1_048_576,
  });
  expect(readLimits({ TRY_TIMEOUT_MS: "0", SILENT_MS: "0", REPLAY_BYTES: "0" })).toEqual({
    ...defaultLimits,
    tryTimeoutMs: null,
    frozenMs: null,
    replayBytes: 0,
  });
});

test.each(["wrangler.toml", "infra/split/edge.toml", "infra/split/ingress.toml"])(
  "[Y25] the variables in %s are the defaults",
  (file) => {
    const text = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
    const variables = Object.fromEntries(
      [...text.matchAll(/^(\w+) = "(\d+)"$/gm)].map(([, name, value]) => [name, value]),
    );
    expect(Object.keys(variables)).toEqual([
      "HEAD_TIMEOUT_MS",
      "TRY_TIMEOUT_MS",
      "SILENT_MS",
      "REPLAY_BYTES",
    ]);
    expect(readLimits(variables)).toEqual(defaultLimits);
  },
);

test.each([
  ["HEAD_TIMEOUT_MS", "0", "from 1 to 600000"],
  ["HEAD_TIMEOUT_MS", "30s", "from 1 to 600000"],
  ["TRY_TIMEOUT_MS", "-1", "from 0 to 600000"],
  ["SILENT_MS", "1.5", "from 0 to 600000"],
  ["REPLAY_BYTES", "64KiB", "from 0 to 1048576"],
  ["REPLAY_BYTES", "1048577", "from 0 to 1048576"],
])("[Y25] the error for %s=%j names the variable and the valid range", (name, text, range) => {
  expect(() => readLimits({ [name]: text })).toThrow(
    `cannot read variable ${name}="${text}": write a whole number ${range}`,
  );
});
