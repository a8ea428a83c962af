import { expect, test } from "vitest";
import { lowLimitWarning } from "../../../src/local/descriptors.ts";

test("[U112] a low limit of open files is reported with what it is enough for, and how to raise it", () => {
  expect(lowLimitWarning(2_000)).toBe(
    "this process may open 2000 files, enough for 340 requests at a time; raise the limit with `ulimit -n 65536`, or LimitNOFILE= of a systemd unit",
  );
  expect([lowLimitWarning(8_192), lowLimitWarning(null)]).toEqual([null, null]);
});
