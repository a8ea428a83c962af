import { expect, test } from "vitest";
import { reportTcpTraffic } from "../../../src/local/tcp-reports.ts";
import type { Target } from "../../../src/proxy/routing/target-pool.ts";
import { TcpTraffic } from "../../../src/proxy/tcp/tcp-traffic.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import { readDelta } from "../../../src/telemetry/read-delta.ts";
import { until } from "../../support/until.ts";

const service = { id: "s1", name: "db" };
const target = { taskId: "t1", slot: 1, nodeId: "n1", server: null } as Target;

test("[O254] counters and suspects of connections are reported, a failed report again with its number", async () => {
  const traffic = new TcpTraffic(new Meter({ isolate: "this-process", ejectedMs: () => 2_000 }));
  const sent: (readonly [route: string, body: object])[] = [];
  let isReachable = false;
  const stop = reportTcpTraffic(traffic, async (route, body) => {
    sent.push([route, body]);
    if (!isReachable) throw new Error("unreachable");
  });
  const connection = traffic.begin(service, null);
  connection.sent(target, false);
  connection.failed(target, true);
  await until("the suspect", () => sent.some(([route]) => route === "suspects"));
  expect(sent[0]).toEqual(["suspects", { taskIds: ["t1"] }]);
  connection.end();
  const deltas = () =>
    sent.filter(([route]) => route === "counters").map(([, body]) => readDelta(body) as Delta);
  await until("a report that fails", () => deltas().length === 1);
  isReachable = true;
  await until("the report again", () => deltas().length >= 2);
  await stop();
  const [first, second] = deltas();
  expect(second).toEqual(first);
  expect(first).toMatchObject({ isolate: "this-process", seq: 1, tasks: [{ id: "t1", ejectedMs: 2_000 }] });
});
