import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attemptPolicy, bodyWatch, defaultLimits, readLimits } from "../../../src/proxy/limits.ts";

test("[Y25] an absent or empty variable leaves the default", () => {
  expect(readLimits({})).toEqual(defaultLimits);
  expect(readLimits({ HEAD_TIMEOUT_MS: "", SILENT_MS: "" })).toEqual(defaultLimits);
});

test("[Y25] variables set the limits, and 0 turns a timeout off", () => {
  const variables = {
    HEAD_TIMEOUT_MS: "5000",
    TRY_TIMEOUT_MS: "800",
    SILENT_MS: "1500",
    HEDGE: "false",
    RETRIES: "1",
    REPLAY_BYTES: "1048576",
    BODY_TIMEOUT_MS: "60000",
  };
  expect(readLimits(variables)).toEqual({
    headTimeoutMs: 5_000,
    tryTimeoutMs: 800,
    silenceMs: 1_500,
    hedge: false,
    retries: 1,
    replayBytes: 1_048_576,
    bodyTimeoutMs: 60_000,
  });
  expect(
    readLimits({ TRY_TIMEOUT_MS: "0", SILENT_MS: "0", REPLAY_BYTES: "0", BODY_TIMEOUT_MS: "0" }),
  ).toEqual({
    ...defaultLimits,
    tryTimeoutMs: null,
    silenceMs: 0,
    replayBytes: 0,
    bodyTimeoutMs: 0,
  });
});

const names = [
  ...["HEAD_TIMEOUT_MS", "TRY_TIMEOUT_MS", "SILENT_MS"],
  ...["HEDGE", "RETRIES", "REPLAY_BYTES", "BODY_TIMEOUT_MS"],
];

test.each(["wrangler.toml", "infra/split/edge.toml", "infra/split/ingress.toml"])(
  "[Y25] the variables in %s are the defaults",
  (file) => {
    const text = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
    const variables = Object.fromEntries(
      [...text.matchAll(/^(\w+) = "(.*)"$/gm)]
        .map(([, name = "", value]) => [name, value] as const)
        .filter(([name]) => names.includes(name)),
    );
    expect(Object.keys(variables)).toEqual(names);
    expect(readLimits(variables)).toEqual(defaultLimits);
  },
);

test.each([
  ["HEAD_TIMEOUT_MS", "0", "a whole number from 1 to 86400000"],
  ["HEAD_TIMEOUT_MS", "30s", "a whole number from 1 to 86400000"],
  ["TRY_TIMEOUT_MS", "-1", "a whole number from 0 to 86400000"],
  ["SILENT_MS", "1.5", "a whole number from 0 to 86400000"],
  ["REPLAY_BYTES", "64KiB", "a whole number from 0 to 1048576"],
  ["REPLAY_BYTES", "1048577", "a whole number from 0 to 1048576"],
  ["RETRIES", "4", "a whole number from 0 to 3"],
  ["HEDGE", "no", "true or false"],
  ["BODY_TIMEOUT_MS", "1m", "a whole number from 0 to 86400000"],
])("[Y25] the error for %s=%j names the variable and what would work", (name, text, valid) => {
  expect(() => readLimits({ [name]: text })).toThrow(
    `cannot read variable ${name}="${text}": write ${valid}`,
  );
});

test("[Y33] a label takes precedence over the variable, and the variable over the default", () => {
  const never = Number.POSITIVE_INFINITY;
  const unset = { headTimeoutMs: 30_000, tryTimeoutMs: never, frozenMs: 3_000, hedge: true, retries: 3 };
  expect(attemptPolicy(defaultLimits, {}, true)).toEqual(unset);
  const limits = readLimits({ HEAD_TIMEOUT_MS: "5000", SILENT_MS: "0", HEDGE: "false", RETRIES: "1" });
  const set = { headTimeoutMs: 5_000, frozenMs: never, hedge: false, retries: 1 };
  expect(attemptPolicy(limits, {}, true)).toMatchObject(set);
  const labels = { headTimeoutMs: 1_000, silenceMs: 2_000, hedge: true, retries: 2 };
  const labeled = { headTimeoutMs: 1_000, frozenMs: 2_000, hedge: true, retries: 2 };
  expect(attemptPolicy(limits, labels, true)).toMatchObject(labeled);
  expect(bodyWatch(defaultLimits, {})).toEqual({ stallMs: 30_000, watchedBytes: 262_144 });
  expect(bodyWatch({ ...defaultLimits, bodyTimeoutMs: 9 }, {})).toEqual({ stallMs: 9, watchedBytes: never });
  expect(bodyWatch({ ...defaultLimits, bodyTimeoutMs: 9 }, { bodyTimeoutMs: 0 })).toMatchObject({
    stallMs: never,
  });
});

test("[Y32] by default no time ends a request that may not be repeated, and it is sent once", () => {
  const never = Number.POSITIVE_INFINITY;
  const once = { tryTimeoutMs: never, hedge: false, retries: 0 };
  expect(attemptPolicy(defaultLimits, {}, false)).toEqual({ ...once, headTimeoutMs: never, frozenMs: never });
  const labels = { headTimeoutMs: 1_000, silenceMs: 2_000, hedge: true, retries: 3 };
  expect(attemptPolicy(defaultLimits, labels, false)).toEqual({
    ...once,
    headTimeoutMs: 1_000,
    frozenMs: 2_000,
  });
});
