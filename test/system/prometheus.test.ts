// A real Prometheus scrapes a real mesh with the configuration, rules and Grafana dashboard of infra/.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const infra = fileURLToPath(new URL("../../infra/", import.meta.url));
const rulesFile = join(infra, "prometheus/waggle.rules.yml");

const missing = ["prometheus", "promtool"].filter((command) => !isInstalled(command));
const skipPrefix = missing.length > 0 ? `(skipped: ${missing.join(" and ")} not installed) ` : "";

function isInstalled(command: string): boolean {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
};
type Rule = {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly lastError?: string;
};

/** A Prometheus that scrapes one mesh every second. */
class Prometheus {
  readonly #folder = mkdtempSync(join(tmpdir(), "waggle-prometheus-"));
  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(mesh: MeshProcess, port: number) {
    this.#url = `http://127.0.0.1:${port}`;
    const shipped = readFileSync(join(infra, "prometheus/prometheus.yml"), "utf8");
    const config = shipped
      .replaceAll(/_interval: 15s/g, "_interval: 1s")
      .replace("127.0.0.1:8787", `127.0.0.1:${mesh.controlPort}`)
      .replace("- waggle.rules.yml", `- ${rulesFile}`);
    writeFileSync(join(this.#folder, "prometheus.yml"), config);
    writeFileSync(join(this.#folder, "waggle-viewer-token"), viewerToken(mesh));
    this.#child = spawn(
      "prometheus",
      [
        `--config.file=${this.#folder}/prometheus.yml`,
        `--storage.tsdb.path=${this.#folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error",
      ],
      { stdio: "ignore" },
    );
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  }

  async query(text: string): Promise<readonly Series[]> {
    const { result } = await this.get<{ result: readonly Series[] }>(
      `query?query=${encodeURIComponent(text)}`,
    );
    return result;
  }

  /** The first value of a query; null without a result. */
  async value(text: string): Promise<number | null> {
    const [series] = await this.query(text);
    return series === undefined ? null : Number(series.value[1]);
  }

  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.get<{ groups: readonly { readonly rules: readonly Rule[] }[] }>("rules");
    return groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function viewerToken(mesh: MeshProcess): string {
  const { viewerToken: token } = JSON.parse(readFileSync(join(mesh.stateDir, "secrets.json"), "utf8"));
  return token;
}

/** The queries of every panel and annotation of the Grafana dashboard, with its variables filled in. */
function panelQueries(): readonly (readonly [title: string, query: string])[] {
  const { panels, annotations } = JSON.parse(readFileSync(join(infra, "grafana/waggle.json"), "utf8")) as {
    panels: { title: string; targets: { expr: string }[] }[];
    annotations: { list: { name: string; expr: string }[] };
  };
  const ofPanels = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
  const ofAnnotations = annotations.list.map(({ name, expr }) => [name, expr] as const);
  return [...ofPanels, ...ofAnnotations].map(([title, expr]) => [
    title,
    expr.replaceAll("$service", ".+").replaceAll("$__rate_interval", "1m"),
  ]);
}

describe.skipIf(missing.length > 0)(`${skipPrefix}Prometheus`, () => {
  let mesh: MeshProcess;
  let prometheus: Prometheus;
  let port: number;

  beforeAll(async () => {
    mesh = await MeshProcess.start(["--empty"]);
    port = await freePort();
    const create = ["service", "create", "--name", "my-web", "-p", `${port}:80`, "--replicas", "2"];
    const created = await mesh.waggle(...create, "waggle/whoami");
    expect(created, created.err).toMatchObject({ code: 0 });
    prometheus = new Prometheus(mesh, await freePort());
    const up = async () => (await prometheus.value('up{job="waggle"}')) === 1;
    await until("the mesh to be scraped", up, { withinMs: 30_000 });
    // Every test below needs counted traffic, even if it runs alone.
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    const isCounted = async () => (await prometheus.value("sum(waggle_requests_total)")) === 1;
    await until("a request to be counted", isCounted, { withinMs: 15_000, everyMs: 200 });
  });

  afterAll(async () => {
    await prometheus?.stop();
    await mesh?.remove();
  });

  test("[J20] it scrapes the mesh with the viewer token, as in the example configuration", async () => {
    const { activeTargets } = await prometheus.get<{
      activeTargets: { health: string; lastError: string; scrapePool: string }[];
    }>("targets");
    expect(activeTargets).toMatchObject([{ scrapePool: "waggle", health: "up", lastError: "" }]);
    expect(await prometheus.value("sum(waggle_node_up)")).toBe(3);
    expect(await prometheus.value("sum(waggle_task_up)")).toBe(2);
    expect(await prometheus.value("waggle_telemetry_up")).toBe(1);
  });

  test("[J25] every request that was sent is counted exactly once", async () => {
    const value = async (query: string) => (await prometheus.value(query)) ?? 0;
    const before = {
      all: await value("sum(waggle_requests_total)"),
      ok: await value('sum(waggle_requests_total{code="2xx"})'),
      failed: await value('sum(waggle_requests_total{code="5xx"})'),
    };
    const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    const total = 300;
    for (let index = 0; index < total; index += 1) {
      const response = await fetch(`http://${addresses[index % 3]}:${port}/`);
      expect(response.status).toBe(200);
      await response.text();
    }
    const failed = await fetch(`http://127.0.0.1:${port}/status/503`);
    await failed.text();
    expect(failed.status).toBe(503);
    const all = before.all + total + 1;
    const isCounted = async () => (await value("sum(waggle_requests_total)")) === all;
    await until("all requests to be counted", isCounted, { withinMs: 15_000, everyMs: 200 });
    expect(await value('sum(waggle_requests_total{code="2xx"})')).toBe(before.ok + total);
    expect(await value('sum(waggle_requests_total{code="5xx"})')).toBe(before.failed + 1);
    expect(await value("waggle_request_duration_seconds_count")).toBe(all);
    expect(await value('waggle_request_duration_seconds_bucket{le="+Inf"}')).toBe(all);
    expect(await value("sum(waggle_task_attempts_total) - sum(waggle_attempts_total)")).toBe(0);
    for (const name of ["node1", "node2", "node3"]) {
      expect(await value(`sum(waggle_requests_total{node="${name}"})`)).toBeGreaterThanOrEqual(total / 3);
    }
  });

  test.each(panelQueries())("[J26] the query of the Grafana panel %s is valid: %s", async (_title, query) => {
    await expect(prometheus.query(query)).resolves.toBeInstanceOf(Array);
  });

  test("[J26] the Grafana dashboard uses only metrics that exist", async () => {
    const names = new Set(await prometheus.get<string[]>("label/__name__/values"));
    const used = panelQueries().flatMap(([, query]) => query.match(/\bwaggle_[a-z_]+/g) ?? []);
    expect([...new Set(used)].filter((name) => !names.has(name))).toEqual([]);
  });

  test("[J27] every alert rule loads, and the alert for a down node fires", {
    timeout: 120_000,
  }, async () => {
    expect(
      (await prometheus.rules()).map(({ name, health, lastError }) => [name, health, lastError]),
    ).toEqual((await prometheus.rules()).map(({ name }) => [name, "ok", undefined]));
    const firing = () => prometheus.query('ALERTS{alertstate="firing"}');
    expect(await firing()).toEqual([]);
    // An agent that was killed would be started again.
    const agentPid = mesh.agentPid("node2");
    process.kill(agentPid, "SIGSTOP");
    const [alert] = await until(
      "the alert",
      async () => {
        const alerts = await firing();
        return alerts.length > 0 ? alerts : null;
      },
      { withinMs: 90_000, everyMs: 500 },
    ).finally(() => process.kill(agentPid, "SIGCONT"));
    expect(alert?.metric).toMatchObject({ alertname: "WaggleNodeDown", node: "node2" });
  });
});

describe.skipIf(missing.length > 0)(`${skipPrefix}promtool`, () => {
  test("[J27] every alert passes its own promtool tests", () => {
    const folder = join(infra, "prometheus");
    const run = (...args: string[]) => execFileSync("promtool", args, { cwd: folder, encoding: "utf8" });
    expect(run("check", "rules", "waggle.rules.yml")).toContain("SUCCESS");
    expect(run("test", "rules", "waggle.rules.test.yml")).toContain("SUCCESS");
    const rules = readFileSync(rulesFile, "utf8").matchAll(/- alert: (\w+)/g);
    const tests = readFileSync(join(folder, "waggle.rules.test.yml"), "utf8");
    expect(
      [...rules].map(([, name]) => name).filter((name) => !tests.includes(`alertname: ${name}`)),
    ).toEqual([]);
  });
});
