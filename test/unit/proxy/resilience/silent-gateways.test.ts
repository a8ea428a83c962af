import { expect, test } from "vitest";
import { SilentGateways } from "../../../../src/proxy/resilience/silent-gateways.ts";

test("[Y45] a gateway is silent once a check has had no answer for a second, through later checks too", () => {
  const gateways = new SilentGateways();
  expect(gateways.isSilent("n1", 0)).toBe(false);
  expect(gateways.begin("n1", 1_000)).toBe(true);
  expect(gateways.isSilent("n1", 1_999)).toBe(false);
  expect(gateways.isSilent("n1", 2_000)).toBe(true);
  expect(gateways.isSilent("n2", 2_000)).toBe(false);
  expect(gateways.begin("n1", 3_000)).toBe(true);
  expect(gateways.isSilent("n1", 3_000)).toBe(true);
});

test("[Y45] an answer, however late, ends the silence of a gateway", () => {
  const gateways = new SilentGateways();
  gateways.begin("n1", 0);
  gateways.answered("n1");
  expect(gateways.isSilent("n1", 5_000)).toBe(false);
  expect(gateways.begin("n1", 5_000)).toBe(true);
  expect(gateways.isSilent("n1", 5_999)).toBe(false);
  expect(gateways.isSilent("n1", 6_000)).toBe(true);
});

test("[Y46] a gateway is checked at most every two seconds", () => {
  const gateways = new SilentGateways();
  expect([0, 1_999, 2_000, 3_999, 4_000].map((ms) => gateways.begin("n1", ms))).toEqual([
    true,
    false,
    true,
    false,
    true,
  ]);
});

test("[Y46] what a check found ten seconds ago counts no more", () => {
  const gateways = new SilentGateways();
  gateways.begin("n1", 0);
  expect(gateways.isSilent("n1", 10_000)).toBe(true);
  expect(gateways.isSilent("n1", 10_001)).toBe(false);
  expect(gateways.begin("n1", 10_001)).toBe(true);
  expect(gateways.isSilent("n1", 10_001)).toBe(false);
});
