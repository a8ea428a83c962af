import { expect, test } from "vitest";
import { remoteTelemetry } from "../../../src/control/remote-telemetry.ts";
import { MeshTrafficReport } from "../../../src/protocol/telemetry.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { TestControl, viewerToken } from "./support.ts";

const trafficDelta = delta(1, {
  entries: [entryDelta({ requests: 2, responses2xx: 2 }, [3, 4])],
  tasks: [taskDelta({ attempts: 2 }, [3, 4])],
});

test("[J14] GET /mesh/telemetry gives a viewer the selected traffic of the mesh", async () => {
  const control = new TestControl();
  control.telemetry.count(trafficDelta);
  const all = await control.ask("GET /mesh/telemetry?series=1&colos=true", { token: viewerToken });
  expect(all.status).toBe(200);
  const traffic = MeshTrafficReport.strict().parse(all.json);
  expect(traffic).toEqual(all.json);
  expect(traffic).toMatchObject({
    services: [{ counts: { requests: 2 }, series: { tens: { stepMs: 10_000 } } }],
    colos: [{ colo: "AMS" }],
  });
  const part = await control.ask("GET /mesh/telemetry?service=other");
  expect(part.json).toMatchObject({ services: [], nodes: [{ series: null }], colos: [] });
  expect((await control.ask("GET /mesh/telemetry", { token: null })).status).toBe(401);
});

test("[J14] unavailable traffic is a 503 that says requests are not affected", async () => {
  const unavailable = () => Promise.reject(new Error("reset"));
  const never = () => new Promise<never>(() => undefined);
  for (const snapshot of [unavailable, never]) {
    const control = new TestControl(1, { telemetry: remoteTelemetry(() => ({ snapshot }), 20) });
    const { status, json } = await control.ask("GET /mesh/telemetry");
    expect([status, json.message]).toEqual([
      503,
      "the telemetry object is unreachable; traffic is not affected, try again",
    ]);
  }
});
