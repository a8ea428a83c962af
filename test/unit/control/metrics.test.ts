import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { remoteTelemetry } from "../../../src/control/remote-telemetry.ts";
import { unwrap } from "../../../src/domain/model/error.ts";
import { serverDefaults } from "../../../src/domain/model/server.ts";
import type { SnapshotFilter } from "../../../src/telemetry/snapshot.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { publishing, running, spec, TestControl, viewerToken } from "./support.ts";

/** The value of every sample, by `name{labels}`. */
function samplesOf(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
  );
}

/** A mesh with traffic for its service my-web. */
async function busy(control = new TestControl()): Promise<TestControl> {
  const id = await control.create("my-web");
  const [node1] = control.mesh.registry.nodes();
  const node = { id: node1?.id ?? "", name: "node1" };
  const tasks = await control.ask(`GET /tasks?filters=${encodeURIComponent('{"service":["my-web"]}')}`);
  const service = { id, name: "my-web" };
  control.telemetry.count(
    delta(1, {
      entries: [
        entryDelta(
          { requests: 5, responses2xx: 4, responses5xx: 1, refused503: 1, attempts: 4, bytesOut: 99 },
          [1, 2, 3, 30, 200_000],
          { service, node },
        ),
        entryDelta({ requests: 2, responses4xx: 2, refused404: 2 }, [], { service: null, node }),
      ],
      tasks: [taskDelta({ attempts: 4, timeouts: 1 }, [], { id: tasks.json[0].ID, serviceId: id, open: 2 })],
    }),
  );
  return control;
}

test("[J20] a viewer can read metrics in Prometheus' text format, at /metrics and /mesh/metrics", async () => {
  const control = await busy();
  for (const path of ["/metrics", "/mesh/metrics"]) {
    const { status, headers, text } = await control.ask(`GET ${path}`, { token: viewerToken });
    expect([status, headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(Object.fromEntries(samplesOf(text))).toMatchObject({
      'waggle_build_info{version="0.1.0",mesh="test"}': "1",
      'waggle_nodes{state="ready"}': "2",
      'waggle_node_up{node="node1"}': "1",
      'waggle_service_tasks_running{service="my-web"}': "2",
      'waggle_task_up{service="my-web",task="my-web.1",node="node1"}': "1",
      waggle_telemetry_up: "1",
      'waggle_requests_total{service="my-web",node="node1",code="2xx"}': "4",
      'waggle_requests_total{service="my-web",node="node1",code="3xx"}': "0",
      'waggle_refused_requests_total{service="my-web",code="503"}': "1",
      'waggle_refused_requests_total{service="my-web",code="504"}': "0",
      'waggle_refused_requests_total{service="",code="404"}': "2",
      'waggle_sent_bytes_total{service="my-web"}': "99",
      'waggle_task_failures_total{service="my-web",task="my-web.1",node="node1",reason="timeout"}': "1",
      'waggle_task_requests_waiting{service="my-web",task="my-web.1",node="node1"}': "2",
    });
  }
  expect((await control.ask("GET /metrics", { token: null })).status).toBe(401);
});

test("[J42] every service has the numbers of its expected and usable static servers, so that alerts can add them up", async () => {
  const control = await busy();
  const { registry } = control.mesh;
  const server = (name: string, admin: "ready" | "maint") => {
    const spec = { ...serverDefaults, name, host: "172.31.46.1", port: 8080, check: null };
    return unwrap(registry.addServer("my-web", { spec, admin }, "operator"));
  };
  await control.create("legacy", publishing());
  server("server1", "ready");
  server("server2", "maint");
  const { text } = await control.ask("GET /metrics");
  expect(Object.fromEntries(samplesOf(text))).toMatchObject({
    'waggle_service_servers{service="my-web"}': "1",
    'waggle_service_servers_up{service="my-web"}': "1",
    'waggle_service_servers{service="legacy"}': "0",
    'waggle_task_up{service="my-web",task="server2",node=""}': "0",
  });
});

test("[J24] buckets are cumulative, from 1 ms to 131 s, and match sum and count", async () => {
  const samples = samplesOf((await (await busy()).ask("GET /metrics")).text);
  const bucket = (le: string) =>
    samples.get(`waggle_request_duration_seconds_bucket{service="my-web",le="${le}"}`);
  expect(["0.001", "0.002", "0.004", "0.032", "131.072", "+Inf"].map(bucket)).toEqual([
    "1",
    "2",
    "3",
    "4",
    "4",
    "5",
  ]);
  expect(samples.get('waggle_request_duration_seconds_sum{service="my-web"}')).toBe("200.036");
  expect(samples.get('waggle_request_duration_seconds_count{service="my-web"}')).toBe("5");
});

const hostile = 'a"b\\c\nd{e="f"} 1\n# HELP';

test("[J21] label values are escaped, and no series is repeated", async () => {
  const control = await busy();
  const id = await control.create("other", { ...running({}), Labels: {}, EndpointSpec: { Ports: [] } });
  const service = { id, name: hostile };
  const node = { id: "removed1", name: hostile };
  control.telemetry.count(
    delta(2, {
      entries: [
        entryDelta({ requests: 1 }, [], { service, node }),
        entryDelta({ requests: 1 }, [], { service, node: { ...node, id: "removed2" } }),
        entryDelta({ requests: 1 }, [], { service: { id: "removed", name: "my-web" } }),
      ],
    }),
  );
  const { text } = await control.ask("GET /metrics");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(
    lines.filter(
      (line) => !/^[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? \S+$/.test(line),
    ),
  ).toEqual([]);
  expect(lines.length).toBe(samplesOf(text).size);
  expect(text).toContain(
    'waggle_requests_total{service="other",node="a\\"b\\\\c\\nd{e=\\"f\\"} 1\\n# HELP",code="2xx"}',
  );
});

test("[J416] a scrape reports the age of its counters, and does not watch; GET /mesh/telemetry does", async () => {
  const filters: SnapshotFilter[] = [];
  const telemetry = newTelemetry();
  const noting = {
    snapshot: (filter: SnapshotFilter) => {
      filters.push(filter);
      return telemetry.snapshot(filter);
    },
  };
  const control = new TestControl(1, { telemetry: noting });
  const { text } = await control.ask("GET /metrics");
  expect(samplesOf(text).get("waggle_telemetry_age_seconds")).toBe("0");
  await control.ask("GET /mesh/status");
  await control.ask("GET /mesh/telemetry");
  expect(filters.map(({ live = false }) => live)).toEqual([false, false, true]);
});

test("[J22] too many tasks, or pairs of service and node, have no series of their own", async () => {
  const control = await busy();
  const [service] = control.mesh.registry.services();
  const of = { id: service?.id ?? "", name: "my-web" };
  const entries = Array.from({ length: 2_001 }, (_, at) =>
    entryDelta({ requests: 1, responses2xx: 1 }, [], { service: of, node: { id: `n${at}`, name: `n${at}` } }),
  );
  control.telemetry.count(delta(2, { entries }));
  const many = spec("many", { Mode: { Replicated: { Replicas: 2_000 } }, ...publishing() });
  expect((await control.ask("POST /services/create", { body: many })).status).toBe(201);
  const samples = samplesOf((await control.ask("GET /metrics")).text);
  expect(samples.get('waggle_metrics_left_out{what="entries"}')).toBe("2002");
  expect(samples.get('waggle_metrics_left_out{what="tasks"}')).toBe("2002");
  expect(samples.get('waggle_requests_total{service="my-web",node="",code="2xx"}')).toBe("2005");
  expect(samples.size).toBeLessThan(100);
});

test("[J23] while telemetry is unavailable, the registry's metrics are served", async () => {
  const never = () => new Promise<never>(() => undefined);
  const unavailable = () => Promise.reject(new Error("reset"));
  for (const snapshot of [never, unavailable]) {
    const control = new TestControl(2, { telemetry: remoteTelemetry(() => ({ snapshot }), 20) });
    await control.create("my-web");
    const { status, text } = await control.ask("GET /metrics");
    expect(status).toBe(200);
    expect(samplesOf(text).get("waggle_telemetry_up")).toBe("0");
    expect(samplesOf(text).get('waggle_task_up{service="my-web",task="my-web.1",node="node1"}')).toBe("1");
    expect(text).not.toContain("waggle_requests_total");
  }
});

const promtool = ((): boolean => {
  try {
    execFileSync("promtool", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!promtool)("[J20] promtool finds no errors (skipped if it is not installed)", async () => {
  const { text } = await (await busy()).ask("GET /metrics");
  expect(execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");
});
