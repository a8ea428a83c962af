import { expect, test } from "vitest";
import { jitteredBackoffMs } from "../../../src/agent/backoff.ts";
import { type ControlSocketEnd, decideReconnect } from "../../../src/agent/control-socket.ts";
import { closeCodes } from "../../../src/protocol/agent.ts";

const almostOne = 1 - Number.EPSILON;

test("[N45] the bound of the reconnect delay doubles from 250 ms to 10 s", () => {
  const bounds = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((failures) =>
    Math.ceil(jitteredBackoffMs(failures, almostOne)),
  );
  expect(bounds).toEqual([249, 499, 999, 1_999, 3_999, 7_999, 9_999, 9_999, 9_999]);
});

test("[N45] the delay is uniform up to the bound", () => {
  expect([0, 0.25, 0.5].map((random) => jitteredBackoffMs(3, random))).toEqual([0, 250, 500]);
});

test.each([
  ["a registry that shuts down", { code: closeCodes.goingAway }, { redialAfterMs: 125 }],
  ["a lost connection", { code: 1006 }, { redialAfterMs: 125 }],
  ["a bad frame", { code: closeCodes.badMessage }, { redialAfterMs: 125 }],
  ["missed heartbeats", { code: closeCodes.missedHeartbeats }, { redialAfterMs: 0 }],
  ["a removed node", { code: closeCodes.notAMember }, { end: "removed" }],
  ["a refused credential", { code: 1006, status: 401 }, { end: "not-a-member" }],
  ["a newer agent", { code: closeCodes.superseded }, { end: "superseded" }],
  ["an older protocol", { code: 1006, status: 426 }, { end: "refused" }],
  ["a registry that fails", { code: 1006, status: 503 }, { redialAfterMs: 125 }],
])("[N46] the decision after %s", (_what, closed, decision) => {
  expect(decideReconnect(ended(closed), 1, false, 0.5)).toEqual(decision);
});

test("[N46] repeated missed heartbeats lead to reconnects with backoff", () => {
  expect(decideReconnect(ended({ code: closeCodes.missedHeartbeats }), 3, true, 0.5)).toEqual({
    redialAfterMs: 500,
  });
});

test("[N46] an agent that was connected before reconnects after a refused protocol: a deployment is in progress", () => {
  expect(decideReconnect(ended({ code: 1006, status: 426 }), 1, true, 0.5)).toEqual({ redialAfterMs: 125 });
});

function ended(closed: Pick<ControlSocketEnd, "code" | "status">): ControlSocketEnd {
  return { reason: "", lifetimeMs: 0, ...closed };
}

test("[M173] an agent spreads its redials over the window of its mesh, and a longer backoff stays", () => {
  const lost = ended({ code: 1006 });
  expect(decideReconnect(lost, 1, true, 0.5, 32_768)).toEqual({ redialAfterMs: 18_432 });
  expect(decideReconnect(lost, 1, true, 0, 32_768)).toEqual({ redialAfterMs: 4_096 });
  expect(decideReconnect(lost, 1, true, 0.999, 32_768)).toEqual({ redialAfterMs: 32_739 });
  expect(decideReconnect(lost, 6, true, 0.5, 512)).toEqual({ redialAfterMs: 4_000 });
});
