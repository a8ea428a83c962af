// The HAProxy statistics of a real mesh, compared with a real HAProxy in front of the same tasks, and read by
// a real prometheus-haproxy-exporter.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { statsColumns } from "../../src/stats/columns.ts";
import { type Csv, csvRow, readCsv } from "../support/haproxy-csv.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { missingPrograms, type Program, startProgram } from "../support/program.ts";
import { until } from "../support/until.ts";

const missing = missingPrograms(["haproxy", "prometheus-haproxy-exporter"]);
const skipPrefix = missing.length === 0 ? "" : `skipped: not installed: ${missing.join(", ")}: `;

/** Sent to my-web through the balancer before the tests. */
const initialRequests = 24;

let mesh: MeshProcess;
let published: number;
let exporter: Program & { readonly metrics: () => Promise<string> };
let haproxy: Program & { readonly uri: string; readonly web: string };
/** Requests sent to my-web, through the balancer or a node. */
let sentCount = 0;

const statsUrl = (options = "") => `http://127.0.0.1:${mesh.edgePort}/haproxy?stats${options}`;
const authorization = () => `Basic ${btoa(`any:${mesh.token}`)}`;

function request(path: string, host = "127.0.0.1", headers: Record<string, string> = {}): Promise<Response> {
  sentCount += 1;
  return fetch(`http://${host}:${published}${path}`, { headers });
}

async function read(url: string): Promise<string> {
  const response = await fetch(url, { headers: { authorization: authorization() } });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.text();
}

const csv = async (): Promise<Csv> => readCsv(await read(statsUrl(";csv")));
const haproxyCsv = async (): Promise<Csv> => readCsv(await (await fetch(`${haproxy.uri};csv`)).text());

describe.skipIf(missing.length > 0)(`${skipPrefix}the statistics`, () => {
  beforeAll(async () => {
    mesh = await MeshProcess.start(["--empty"]);
    published = await freePort();
    await create("my-web", published, "--replicas", "2");
    await create("once", await freePort(), "--replicas", "1", "--restart-condition", "none");
    await until("all tasks to be up", async () =>
      (await csv()).rows.every(({ status }) => status !== "DOWN"),
    );
    for (let index = 0; index < initialRequests; index += 1) {
      expect((await request("/")).status).toBe(200);
    }
    exporter = await startExporter();
    haproxy = await startHaproxy(await csv());
  });

  afterAll(async () => {
    await exporter?.stop();
    await haproxy?.stop();
    await mesh?.remove();
  });

  test("[Z12] every port of the balancer serves the statistics; a node's entry point and other paths lead to the service", async () => {
    for (const port of [mesh.edgePort, published]) {
      const answer = await fetch(`http://127.0.0.1:${port}/haproxy?stats`);
      expect([port, answer.status]).toEqual([port, 401]);
    }
    for (const [path, host] of [
      ["/haproxy?stats", "127.0.0.2"],
      ["/haproxy", "127.0.0.1"],
    ] as const) {
      const answer = await request(path, host);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(await answer.text()).toContain("my-web.");
    }
  });

  test("[Z18] a request's own credentials reach the service, the mesh's do not", async () => {
    const echoed = async (password: string) => {
      const headers = { authorization: `Basic ${btoa(`any:${password}`)}` };
      return (await request("/", "127.0.0.1", headers)).text();
    };
    expect(await echoed("their own")).toContain(btoa("any:their own"));
    expect(await echoed(mesh.token)).not.toMatch(/authorization/i);
  });

  test("[Z19] compared with a real HAProxy, the CSV has the same columns in the same order, and the same values", async () => {
    // HAProxy marks a check that is under way with an asterisk.
    const theirs = await until("no check of HAProxy under way", async () => {
      const current = await haproxyCsv();
      return current.rows.every((row) => !row.check_status?.startsWith("* ")) && current;
    });
    const ours = await csv();
    // The columns before "-", which ends the fixed part. Newer versions of HAProxy append columns.
    const fixed = theirs.names.slice(0, theirs.names.indexOf("-"));
    expect(fixed.length).toBeGreaterThan(90);
    expect(ours.names.slice(0, fixed.length)).toEqual(fixed);
    for (const { widths } of [ours, theirs]) expect(new Set(widths).size).toBe(1);
    const comparedColumns = [
      "status",
      "type",
      "act",
      "bck",
      "weight",
      "check_status",
      "check_code",
      "mode",
      "addr",
    ];
    for (const row of ["FRONTEND", "my-web.1", "my-web.2", "BACKEND"]) {
      const [our, their] = [csvRow(ours, "my-web", row), csvRow(theirs, "my-web", row)];
      for (const name of comparedColumns) expect([row, name, our[name]]).toEqual([row, name, their[name]]);
      const onlyOurs = fixed.filter((name) => their[name] === "" && our[name] !== "");
      expect([row, onlyOurs]).toEqual([row, []]);
    }
  });

  test("[Z19] compared with a real HAProxy, the JSON gives shared fields the same types", async () => {
    const ours = fieldsByName(await read(statsUrl(";json")));
    const theirs = fieldsByName(await (await fetch(`${haproxy.uri};json`)).text());
    const shared = [...ours.keys()].filter((name) => theirs.has(name));
    expect(shared.length).toBeGreaterThan(statsColumns.length / 2);
    for (const name of shared) expect([name, ours.get(name)]).toEqual([name, theirs.get(name)]);
    expect([...ours.keys()].filter((name) => !theirs.has(name))).toEqual([]);
  });

  test("[Z20] the exporter reads every row, and reports which servers are up", async () => {
    const metrics = await exporter.metrics();
    expect(metric(metrics, "haproxy_up")).toBe(1);
    expect(metric(metrics, "haproxy_exporter_csv_parse_failures_total")).toBe(0);
    expect(metric(metrics, 'haproxy_backend_up{backend="my-web"}')).toBe(1);
    for (const server of ["my-web.1", "my-web.2"]) {
      expect(metric(metrics, `haproxy_server_up{backend="my-web",server="${server}"}`)).toBe(1);
    }
  });

  test("[Z20] every request is counted once, as in HAProxy, and the exporter reports the count", async () => {
    const ours = await until("the requests to be counted", async () => {
      const current = await csv();
      return csvRow(current, "my-web", "BACKEND").hrsp_2xx === String(sentCount) && current;
    });
    for (let index = 0; index < sentCount; index += 1) await fetch(haproxy.web);
    const theirs = csvRow(await haproxyCsv(), "my-web", "BACKEND");
    const backend = csvRow(ours, "my-web", "BACKEND");
    for (const column of [
      "stot",
      "hrsp_2xx",
      "hrsp_5xx",
      "lbtot",
      "econ",
      "eresp",
      "wretr",
      "wredis",
      "qcur",
    ]) {
      expect([column, backend[column]]).toEqual([column, theirs[column]]);
    }
    const sum = (column: string) =>
      ["my-web.1", "my-web.2"].reduce(
        (total, name) => total + Number(csvRow(ours, "my-web", name)[column]),
        0,
      );
    for (const column of ["hrsp_2xx", "lbtot", "bout"]) {
      expect([column, sum(column)]).toEqual([column, Number(backend[column])]);
    }
    expect(csvRow(ours, "my-web", "FRONTEND")).toMatchObject({ stot: String(sentCount), hrsp_5xx: "0" });
    const responses = 'haproxy_backend_http_responses_total{backend="my-web",code="2xx"}';
    expect(metric(await exporter.metrics(), responses)).toBe(sentCount);
  });

  test("[Z40] qcur and qmax count queued requests, qlimit is their limit, and the exporter and /metrics report them", async () => {
    const port = await freePort();
    const labels = ["waggle.maxconn=1", "waggle.queue=5", "waggle.queue-timeout=60s"];
    await create("narrow", port, "--replicas", "1", ...labels.flatMap((label) => ["--label", label]));
    const slow = () => fetch(`http://127.0.0.1:${port}/delay/2500`).then(({ status }) => status);
    const answers = Promise.all([slow(), slow(), slow(), slow()]);
    const row = async (name: string) => csvRow(await csv(), "narrow", name);
    await until("three queued requests", async () => (await row("BACKEND")).qcur === "3");
    // Read while the requests are queued.
    const [metrics, ours] = await Promise.all([exporter.metrics(), readMetrics()]);
    expect(metric(metrics, 'haproxy_backend_current_queue{backend="narrow"}')).toBeGreaterThan(0);
    expect(metric(ours, 'waggle_requests_queued{service="narrow"}')).toBeGreaterThan(0);
    expect(await answers).toEqual([200, 200, 200, 200]);
    await until("all requests to be counted", async () => (await row("BACKEND")).hrsp_2xx === "4");
    expect(await row("BACKEND")).toMatchObject({ qcur: "0", qmax: "3", scur: "0", smax: "4" });
    expect(await row("narrow.1")).toMatchObject({ slim: "1", smax: "1", qlimit: "5", hrsp_2xx: "4" });
  });

  test("[Z20] a killed task without a replacement is DOWN for both, and 0 for the exporter", async () => {
    const { services } = await mesh.get<Status>("/mesh/status");
    const task = services.find(({ name }) => name === "once")?.tasks[0];
    process.kill(task?.pid ?? 0, "SIGKILL");
    const row = await until("the killed task to be down", async () => {
      const found = csvRow(await csv(), "once", "once.1");
      return found.status === "DOWN" && found;
    });
    expect(row.last_chk).toContain("137");
    await until(
      "HAProxy to see it too",
      async () => csvRow(await haproxyCsv(), "once", "once.1").status === "DOWN",
    );
    const metrics = await exporter.metrics();
    expect(metric(metrics, 'haproxy_server_up{backend="once",server="once.1"}')).toBe(0);
    expect(metric(metrics, 'haproxy_backend_up{backend="once"}')).toBe(0);
    const up = readCsv(await read(statsUrl(";csv;up"))).rows.filter(({ pxname }) => pxname === "once");
    expect(up.map(({ svname, status }) => `${svname} ${status}`)).toEqual(["FRONTEND OPEN", "BACKEND DOWN"]);
  });

  test("[Z20] a node drained with the page's form is DRAIN, which the exporter counts as up, until it is ready again", async () => {
    const set = async (action: string) => {
      const body = new URLSearchParams({ s: "node2", action, b: "waggle.nodes" });
      const headers = { authorization: authorization() };
      const response = await fetch(statsUrl(), { method: "POST", headers, body, redirect: "manual" });
      return [response.status, response.headers.get("location")];
    };
    const status = async () => csvRow(await csv(), "waggle.nodes", "node2").status;
    expect(await set("drain")).toEqual([303, "/haproxy?stats;st=DONE"]);
    expect(await status()).toBe("DRAIN");
    const metrics = await exporter.metrics();
    expect(metric(metrics, 'haproxy_server_up{backend="waggle.nodes",server="node2"}')).toBe(1);
    expect(await set("drain")).toEqual([303, "/haproxy?stats;st=NONE"]);
    expect(await set("ready")).toEqual([303, "/haproxy?stats;st=DONE"]);
    expect(await status()).toBe("UP");
  });
});

type Status = {
  readonly services: readonly {
    readonly name: string;
    readonly tasks: readonly { readonly pid: number }[];
  }[];
};

/** The mesh's own metrics. */
async function readMetrics(): Promise<string> {
  const headers = { authorization: `Bearer ${mesh.token}` };
  return (await fetch(`${mesh.control}/metrics`, { headers })).text();
}

async function create(name: string, port: number, ...more: readonly string[]): Promise<void> {
  const created = await mesh.waggle(
    "service",
    "create",
    "--name",
    name,
    "-p",
    `${port}:80`,
    ...more,
    "waggle/whoami",
  );
  expect(created, created.err).toMatchObject({ code: 0 });
}

async function startExporter(): Promise<typeof exporter> {
  const address = `127.0.0.1:${await freePort()}`;
  const uri = statsUrl(";csv").replace("http://", `http://any:${mesh.token}@`);
  const program = startProgram("prometheus-haproxy-exporter", [
    `--haproxy.scrape-uri=${uri}`,
    `--web.listen-address=${address}`,
  ]);
  const metrics = async () => (await fetch(`http://${address}/metrics`)).text();
  await until("the exporter to answer", metrics);
  return { ...program, metrics };
}

/** A usual HAProxy configuration, with the tasks of the mesh's CSV as its servers. */
async function startHaproxy(ours: Csv): Promise<typeof haproxy> {
  const folder = mkdtempSync(join(tmpdir(), "waggle-haproxy-"));
  const statsPort = await freePort();
  const lines = [
    "defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s",
    `listen stats\n  bind 127.0.0.1:${statsPort}\n  stats enable\n  stats uri /haproxy?stats\n  stats show-legends`,
  ];
  const ports = { "my-web": await freePort(), once: await freePort() };
  for (const [service, port] of Object.entries(ports)) {
    const servers = ours.rows.filter(({ pxname, type }) => pxname === service && type === "2");
    lines.push(
      `listen ${service}\n  bind 127.0.0.1:${port}\n  balance roundrobin\n  option httpchk GET /`,
      ...servers.map(({ svname, addr }) => `  server ${svname} ${addr} check inter 100ms`),
    );
  }
  const config = join(folder, "haproxy.cfg");
  writeFileSync(config, `${lines.join("\n")}\n`);
  const program = startProgram("haproxy", ["-db", "-f", config]);
  const uri = `http://127.0.0.1:${statsPort}/haproxy?stats`;
  await until("HAProxy to have checked its servers", async () => {
    const checked = readCsv(await (await fetch(`${uri};csv`)).text());
    return csvRow(checked, "my-web", "my-web.2").check_status === "L7OK";
  });
  rmSync(folder, { recursive: true, force: true });
  return { ...program, uri, web: `http://127.0.0.1:${ports["my-web"]}/` };
}

/** The JSON type of each field, by the kind of row and the field's name. */
function fieldsByName(json: string): ReadonlyMap<string, object> {
  const rows = JSON.parse(json) as readonly (readonly {
    readonly objType: string;
    readonly field: { readonly name: string };
    readonly tags: object;
    readonly processNum: number;
    readonly value: { readonly type: string };
  }[])[];
  return new Map(
    rows
      .flat()
      .map(({ objType, field, tags, processNum, value, ...rest }) => [
        `${objType} ${field.name}`,
        { field, tags, processNum, type: value.type, keys: Object.keys(rest).sort() },
      ]),
  );
}

/** A metric's value; null if it is absent. */
function metric(text: string, name: string): number | null {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}
