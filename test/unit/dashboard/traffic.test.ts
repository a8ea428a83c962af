import { expect, test } from "vitest";
import { readJudgedTraffic } from "../../../src/control/problem-inputs.ts";
import { shadeCount, shadeOf, visibleBuckets } from "../../../src/dashboard/chart-data.ts";
import {
  heatmapData,
  historyOf,
  latencyChartData,
  rateChartData,
} from "../../../src/dashboard/traffic-history.ts";
import { MeshError, unwrap } from "../../../src/domain/model/error.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { bucketIndex, histogramBucketCount } from "../../../src/telemetry/histogram.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { TestDashboard } from "./support.ts";

/** A dashboard whose service my-web just had 40 requests, `failed` of them answered with 500. */
async function withTraffic(failed: number, change: Partial<Delta> = {}) {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const id = dashboard.service("my-web");
  const [task] = unwrap(dashboard.mesh.registry.tasks({})).filter(({ serviceId }) => serviceId === id);
  const [node] = dashboard.mesh.registry.nodes();
  if (task === undefined || node === undefined) throw new Error("no task");
  const about = { service: { id, name: "my-web" }, node: { id: node.id, name: node.hostname } };
  const latenciesMs = Array(40).fill(25);
  const counts = { requests: 40, responses2xx: 40 - failed, responses5xx: failed };
  const ofTask = { id: task.id, nodeId: task.nodeId ?? "", serviceId: id };
  const first = delta(1, {
    entries: [entryDelta(counts, latenciesMs, about)],
    tasks: [taskDelta({ ...counts, attempts: 40 }, latenciesMs, ofTask)],
    ...change,
  });
  expect(dashboard.telemetry.count(first)).toEqual({ ok: true, value: true });
  dashboard.mesh.nowMs += 10_000;
  return { dashboard, task, node, ofTask };
}

/** The text of one part of a page, without tags. */
function textOf(html: string, id: string): string {
  const [, part = ""] = html.split(`id="${id}"`);
  return part
    .split("</section>")[0]
    ?.replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ") as string;
}

test("[G31] a service's page shows current traffic and charts", async () => {
  const { dashboard } = await withTraffic(0);
  const { text } = await dashboard.ask("GET /dashboard/services/my-web");
  const traffic = textOf(text, "traffic");
  expect(traffic).toContain("40 in total");
  expect(traffic).toMatch(/Requests 4\/s/);
  expect(traffic).toContain("Errors 0 %");
  expect(traffic).toMatch(/p95 2\d ms/);
  expect(text).toMatch(/<path class="line-1" d="M0 \d/);
  expect(text).toMatch(/<path class="shade-5" d="M\d+ \d+h/);
  expect(textOf(text, "numbers")).toMatch(/\d\d:\d\d:\d\d 4 0 2\d ms 2\d ms 2\d ms/);
});

test("[G31] a node's page shows the same, with the latency heatmap", async () => {
  const { dashboard, node } = await withTraffic(0);
  const { text } = await dashboard.ask(`GET /dashboard/nodes/${node.hostname}`);
  expect(textOf(text, "traffic")).toContain("40 in total");
  expect(text).toMatch(/<path class="shade-5" d="M\d+ \d+h/);
});

test("[G31] the charts can show one hour, and a service without requests says so", async () => {
  const { dashboard } = await withTraffic(0);
  dashboard.mesh.nowMs += 60_000;
  const hour = await dashboard.ask("GET /dashboard/services/my-web?range=hour");
  expect(hour.text).toMatch(/aria-current="true">1 hour</);
  expect(hour.text).toContain("&quot;stepMs&quot;:60000");
  dashboard.service("idle", { EndpointSpec: {} });
  const idle = await dashboard.ask("GET /dashboard/services/idle");
  expect(textOf(idle.text, "traffic")).toContain("No request has been counted yet.");
});

test("[G31] the lists and the overview show the same numbers", async () => {
  const { dashboard } = await withTraffic(10);
  const services = await dashboard.ask("GET /dashboard/services");
  expect(textOf(services.text, "services")).toMatch(/ 4 25 % 2\d ms/);
  const nodes = await dashboard.ask("GET /dashboard/nodes");
  expect(textOf(nodes.text, "nodes")).toMatch(/ 4 25 % 2\d ms/);
  const overview = await dashboard.ask("GET /dashboard/");
  expect(textOf(overview.text, "stats")).toMatch(/Requests 4\/s Errors 25 %/);
  expect(textOf(overview.text, "map")).toMatch(/4\/s, 25 % fail/);
});

test("[G32] each colo's view of a task is separate, and names the isolates that eject it", async () => {
  const { dashboard, ofTask } = await withTraffic(0);
  const bad = taskDelta({ attempts: 10, connectErrors: 5 }, [], { ...ofTask, ejectedMs: 60_000 });
  dashboard.telemetry.count(delta(1, { isolate: "other1", colo: "SIN", tasks: [bad] }));
  const good = taskDelta({ attempts: 8, responses2xx: 8 }, Array(8).fill(90), ofTask);
  dashboard.telemetry.count(delta(1, { isolate: "other2", colo: "SIN", tasks: [good] }));
  const page = await dashboard.ask("GET /dashboard/services/my-web");
  const colos = textOf(page.text, "colos");
  expect(colos).toMatch(/AMS 1 isolate .*?40 0 % failed, 2\d ms/);
  expect(colos).toMatch(/SIN 2 isolates ejected by 1 of 2, 18 27\.8 % failed/);
  expect(colos).toMatch(/isolate other1 ejected, 10 50 % failed/);
  expect(colos).toMatch(/isolate other2 .*?8 0 % failed/);
});

test("[G33] a service that fails some requests is a problem; one that fails most is the title of the summary", async () => {
  const someFailing = await (await withTraffic(8)).dashboard.ask("GET /dashboard/");
  expect(someFailing.text).toContain("Every service is up; 1 problem");
  expect(textOf(someFailing.text, "problems")).toContain(
    "20 % of its requests fail: 8 of 40 in the last 10 s",
  );
  const mostFailing = await (await withTraffic(30)).dashboard.ask("GET /dashboard/");
  expect(mostFailing.text).toContain("my-web responds with errors");
  expect(mostFailing.text).toContain('class="health is-bad"');
});

test("[G79] the map marks the task that fails, and not the node or another task", async () => {
  const { dashboard, task } = await withTraffic(30);
  const { text } = await dashboard.ask("GET /dashboard/");
  const map = text.split('id="map"')[1] ?? "";
  expect(map).toContain(`class="chip is-failing" href="/dashboard/services/my-web#${task.id}"`);
  expect(map.match(/class="chip is-running"/g)).toHaveLength(1);
  const nodes = await dashboard.ask("GET /dashboard/nodes");
  expect(map.split("<tbody>")[1]).not.toContain("is-bad-text");
  expect(nodes.text.split('id="nodes"')[1]).not.toContain("is-bad-text");
});

test("[G80] the page of a service shows its problems and no others", async () => {
  const { dashboard } = await withTraffic(30);
  dashboard.service("idle", { EndpointSpec: {} });
  const failing = await dashboard.ask("GET /dashboard/services/my-web");
  expect(textOf(failing.text, "problems")).toContain("75 % of its requests fail");
  const idle = await dashboard.ask("GET /dashboard/services/idle");
  expect(textOf(idle.text, "problems")).not.toContain("fail");
});

test("[G33] a few failures are not a problem", async () => {
  const { text } = await (await withTraffic(4)).dashboard.ask("GET /dashboard/");
  expect(text).toContain("All services are healthy");
});

test("[J416] the first page after a while says of when its traffic is, and its charts end there", async () => {
  const { dashboard } = await withTraffic(0);
  const [service] = dashboard.mesh.registry.services();
  const of = { service: { id: service?.id ?? "", name: "my-web" } };
  const times = { takenMs: dashboard.mesh.nowMs, slicesMs: [5_000] };
  const entries = [entryDelta({ requests: 40, responses2xx: 40 }, Array(40).fill(20), of)];
  dashboard.telemetry.count(delta(7, { isolate: "router", times, entries }), dashboard.mesh.nowMs);
  const pages = () =>
    Promise.all(["/dashboard/services/my-web", "/dashboard/"].map((path) => dashboard.ask(`GET ${path}`)));
  dashboard.mesh.nowMs += 28_000;
  const [page, overview] = await pages();
  expect(textOf(page?.text ?? "", "traffic")).toMatch(/Traffic until 28 s ago\. .*in a moment\./);
  expect(page?.text).toContain(" data-aged");
  expect(textOf(overview?.text ?? "", "stats")).toContain("until 28 s ago");
  dashboard.telemetry.noteLiveRead();
  dashboard.mesh.nowMs += 3_500;
  const [fresh, freshOverview] = await pages();
  expect(`${fresh?.text}${freshOverview?.text}`).not.toContain("data-aged");
});

test("[G34] without the telemetry object every page works, and says what is missing", async () => {
  const unavailable = new MeshError("telemetry/unavailable", "unreachable", {
    blame: "mesh",
    retry: "safe",
  });
  const dashboard = new TestDashboard(2, { telemetry: { snapshot: () => Promise.reject(unavailable) } });
  await dashboard.signIn();
  dashboard.service("my-web");
  for (const path of ["", "services", "nodes"]) {
    const { status, text } = await dashboard.ask(`GET /dashboard/${path}`);
    expect(status).toBe(200);
    expect(text).not.toContain("Req/s");
  }
  const { status, text } = await dashboard.ask("GET /dashboard/services/my-web");
  expect(status).toBe(200);
  expect(textOf(text, "traffic")).toContain("cannot be read at the moment");
});

const series = {
  stepMs: 10_000,
  startMs: 1_000_000,
  requests: [100, 0, 50],
  failed: [10, 0, 0],
  p50Ms: [12.3456, 0, 8],
  p95Ms: [40, 0, 9],
  p99Ms: [80, 0, 10],
  buckets: [[3, 60, 9, 40], [], [2, 50]],
};

test("[G35] bins become rates per second, and a bin without requests has no latency", () => {
  const history = historyOf(series, 0, 1_030_000);
  expect(rateChartData(history).lines).toEqual([
    [10, 0, 5],
    [1, 0, 0],
  ]);
  expect(latencyChartData(history).lines[0]).toEqual([12.3, null, 8]);
  expect(heatmapData(history).cells).toEqual([0, 3, 60, 0, 9, 40, 2, 2, 50]);
});

test("[G35] the open bin is left out", () => {
  expect(historyOf(series, 0, 1_029_999).points).toHaveLength(2);
});

test("[G35] bins before the first count are left out instead of shown as zero", () => {
  const { points } = historyOf(series, 1_012_000, 1_030_000);
  expect(points.map(({ atMs }) => atMs)).toEqual([1_010_000, 1_020_000]);
});

test("[G35] the heatmap shows the buckets in use, at least 16; its shades keep small counts visible", () => {
  const data = { startMs: 0, stepMs: 1, steps: 1, cells: [0, 20, 1, 0, 25, 900] };
  const [from, to] = visibleBuckets(data, histogramBucketCount);
  expect(from).toBeLessThanOrEqual(19);
  expect(to).toBeGreaterThanOrEqual(26);
  expect(to - from).toBeGreaterThanOrEqual(16);
  expect(visibleBuckets({ ...data, cells: [0, bucketIndex(1e9), 1] }, histogramBucketCount)[1]).toBe(
    histogramBucketCount,
  );
  expect([1, 100, 900].map((count) => shadeOf(count, 900))).toEqual([1, 2, shadeCount]);
});

test("[G84] before the first samples a page has no charts, and no invalid number", async () => {
  const { dashboard } = await withTraffic(0);
  dashboard.mesh.nowMs -= 10_000;
  const { text } = await dashboard.ask("GET /dashboard/services/my-web");
  expect(textOf(text, "traffic")).toContain("Charts appear when the first 10 s have ended.");
  expect(text).not.toMatch(/Infinity|NaN|data-chart/);
});

test("[G84] a time without requests has a sentence instead of empty axes", async () => {
  const { dashboard } = await withTraffic(0);
  dashboard.mesh.nowMs += 11 * 60_000;
  const { text } = await dashboard.ask("GET /dashboard/services/my-web");
  expect(textOf(text, "traffic")).toContain("No requests in this time.");
  expect(text).not.toContain("data-chart");
});

test("[M213] what problems are computed from has the traffic of tasks and none by entry node", async () => {
  const { dashboard, task } = await withTraffic(0);
  const view = { tasks: [task], servers: [] };
  const traffic = await readJudgedTraffic(dashboard, view);
  expect(traffic?.services).toMatchObject([{ name: "my-web", entries: [], tasks: [{ id: task.id }] }]);
  expect(dashboard.telemetry.snapshot({}).services[0]?.entries).toHaveLength(1);
});
