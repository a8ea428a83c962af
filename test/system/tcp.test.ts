// Real servers as TCP services of a real mesh, and their own clients through the ports of any node.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MeshStatus } from "../../src/protocol/status.ts";
import { type CommandResult, freePort, MeshProcess, run } from "../support/mesh-process.ts";
import { postgresCommand, postgresPrograms } from "../support/postgres.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-tcp-"));
// PostgreSQL does not run as root.
chmodSync(folder, 0o777);

/** The address of the balancer and those of the nodes. */
const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

const images = {
  redis: 'exec redis-server --bind $HOST --protected-mode no --port $PORT --save "" --dir .',
  mosquitto:
    'printf "listener %s %s\\nallow_anonymous true\\n" $PORT $HOST > m.conf; PATH=$PATH:/usr/sbin exec mosquitto -c m.conf',
};

let mesh: MeshProcess;

beforeAll(async () => {
  const file = join(folder, "images.json");
  const entries = Object.entries(images).map(([name, script]) => [name, { command: ["sh", "-c", script] }]);
  const all = { ...Object.fromEntries(entries), postgres: { command: postgresCommand(folder) } };
  writeFileSync(file, JSON.stringify(all));
  mesh = await MeshProcess.start(["--nodes", "3", "--images", file]);
});

afterAll(async () => {
  await mesh?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A suite for a server's programs, skipped with the reason if this machine lacks them. */
function withPrograms(title: string, programs: readonly string[], packages: string, body: () => void): void {
  const missing = missingPrograms(programs);
  const reason = `skipped: no ${missing.join(", ")}; apt-get install ${packages}`;
  describe.skipIf(missing.length > 0)(missing.length > 0 ? reason : title, body);
}

/** Creates a TCP service and waits until its tasks run. @returns its published port */
async function publish(name: string, image: string, target: number, ...args: string[]): Promise<string> {
  const port = String(await freePort());
  const create = ["service", "create", "--name", name, "--label", "waggle.mode=tcp", "--publish"];
  const { code, err } = await mesh.waggle(...create, `${port}:${target}`, ...args, image);
  expect([code, err]).toEqual([0, expect.stringContaining(`Service ${name} converged`)]);
  return port;
}

/** Sends bytes to a port. @returns what came back until the end or `enough`; null if nothing did */
function say(address: string, port: string, text: string, enough: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port) }, () => socket.write(text));
    let answer = "";
    socket.on("data", (bytes) => {
      answer += bytes;
      if (answer.includes(enough)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer === "" ? null : answer));
  });
}

const outputOf = ({ code, out, err }: CommandResult) => [code, out.trim(), err.trim()];

describe("the figures of a TCP service", () => {
  test("[O254] are on /metrics, the stats page and in telemetry, and its open connections as well", async () => {
    const port = await publish("counted", "waggle/whoami", 80);
    const request = "GET /bytes/1000 HTTP/1.1\r\nHost: x\r\n\r\n";
    const held = connect({ host: "127.0.0.3", port: Number(port) }, () => held.write(request));
    held.resume();
    for (const address of addresses.slice(0, 2))
      expect(await say(address, port, request, "\r\n\r\n")).toContain(" 200 OK");
    const read = async (path: string): Promise<string> => {
      const headers = { authorization: `Bearer ${mesh.token}` };
      return (await fetch(mesh.control + path, { headers })).text();
    };
    const rows = async () => {
      const [head = "", ...lines] = (await read("/haproxy?stats;csv")).split("\n");
      const names = head.slice(2).split(",");
      const cells = lines.map((line) => line.split(","));
      return cells.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ""])));
    };
    const row = async (name: string) =>
      (await rows()).find(({ pxname, svname }) => pxname === "counted" && svname === name) ?? {};
    await until("three connections, one of them open", async () => {
      const { stot, scur } = await row("counted.1");
      return stot === "3" && scur === "1";
    });
    const frontend = await row("FRONTEND");
    expect(frontend).toMatchObject({ mode: "tcp", stot: "3", scur: "1" });
    expect(Number(frontend.bin)).toBe(3 * request.length);
    expect(Number(frontend.bout)).toBeGreaterThan(3_000);
    const metrics = await read("/metrics");
    expect(metrics).toMatch(/^waggle_task_attempts_total\{.*service="counted".*\} 3$/m);
    expect(metrics).toMatch(/^waggle_refused_connections_total\{service="counted"\} 0$/m);
    held.destroy();
    await until("no open connection", async () => (await row("counted.1")).scur === "0");
    await mesh.waggle("service", "scale", "counted=0");
    await until("refused connections", async () => {
      await say("127.0.0.1", port, request, "never");
      return /^waggle_refused_connections_total\{service="counted"\} [1-9]/m.test(await read("/metrics"));
    });
    await mesh.waggle("service", "rm", "counted");
  }, 60_000);
});

withPrograms("Redis", ["redis-server", "redis-cli"], "redis-server", () => {
  test("[O170] redis-cli sets and gets through the port of any node", async () => {
    const port = await publish("redis", "redis", 6379);
    for (const address of addresses) {
      const cli = (...args: string[]) => run("redis-cli", ["-h", address, "-p", port, ...args]);
      expect(outputOf(await cli("PING"))).toEqual([0, "PONG", ""]);
      expect(outputOf(await cli("SET", address, "x".repeat(100_000)))).toEqual([0, "OK", ""]);
    }
    const keys = await run("redis-cli", ["-h", "127.0.0.4", "-p", port, "KEYS", "*"]);
    expect(keys.out.trim().split("\n").sort()).toEqual(addresses);
    const { status } = await fetch(`http://127.0.0.1:${mesh.edgePort}/`, { headers: { host: "redis" } });
    expect(status).toBe(200);
  });

  test("[O173] a task that is killed under load loses its own connections, and the service goes on", async () => {
    const port = await publish("cache", "redis", 6379, "--replicas", "3");
    const ping = (address: string) => say(address, port, "PING\r\n", "+PONG");
    const { services } = await mesh.get<MeshStatus>("/mesh/status");
    const tasks = services.find(({ name }) => name === "cache")?.tasks ?? [];
    const pid = tasks.find(({ name }) => name === "cache.2")?.pid ?? 0;
    expect(pid).toBeGreaterThan(0);
    let [served, failed, isOver] = [0, 0, false];
    const load = addresses.map(async (address) => {
      while (!isOver) {
        if ((await ping(address)) === "+PONG\r\n") served += 1;
        else failed += 1;
      }
    });
    await until("some load", () => served > 100);
    process.kill(pid, "SIGKILL");
    const before = served;
    await until("more load", () => served > before + 400);
    isOver = true;
    await Promise.all(load);
    // One connection of each client may have been at that task.
    expect(failed).toBeLessThanOrEqual(addresses.length);
  });

  test("[O161] a label that needs HTTP is refused when the service is created, and an update opens the port anew", async () => {
    const refused = await mesh.docker(
      "service",
      "create",
      "--label",
      "waggle.mode=tcp",
      "--label",
      "waggle.sticky=s",
      "redis",
    );
    expect(refused.err).toContain("label 'waggle.sticky' needs waggle.mode=http");
    const port = String(await freePort());
    const created = await mesh.waggle(
      "service",
      "create",
      "--name",
      "late",
      "--publish",
      `${port}:6379`,
      "redis",
    );
    expect(created.code).toBe(0);
    expect(await say("127.0.0.3", port, "PING\r\n\r\n", "\r\n\r\n")).toContain("HTTP/1.1 400");
    expect((await mesh.waggle("service", "update", "--label-add", "waggle.mode=tcp", "late")).code).toBe(0);
    await until(
      "the port to carry TCP",
      async () => (await say("127.0.0.3", port, "PING\r\n", "+PONG")) === "+PONG\r\n",
    );
    expect((await mesh.waggle("service", "update", "--label-rm", "waggle.mode", "late")).code).toBe(0);
    await until("the port to carry HTTP", async () =>
      (await say("127.0.0.3", port, "PING\r\n\r\n", "\r\n\r\n"))?.includes("HTTP/1.1 400"),
    );
  });
});

withPrograms("PostgreSQL", postgresPrograms, "postgresql", () => {
  test("[O170] psql creates a table at one node and reads it at another", async () => {
    const port = await publish("postgres", "postgres", 5432);
    const psql = (address: string, sql: string) =>
      run("psql", ["-h", address, "-p", port, "-U", "app", "-d", "postgres", "-tA", "-c", sql]);
    await until("the database to start", async () => (await psql("127.0.0.1", "select 1")).code === 0);
    const fill = "create table t as select n, repeat('x', 1000) from generate_series(1, 5000) n";
    expect(outputOf(await psql("127.0.0.2", fill))).toEqual([0, "SELECT 5000", ""]);
    for (const address of addresses) {
      expect(outputOf(await psql(address, "select count(*), sum(n) from t"))).toEqual([
        0,
        "5000|12502500",
        "",
      ]);
    }
    const rows = await psql("127.0.0.3", "select * from t where n <= 900 order by n");
    expect(outputOf(rows).slice(0, 1)).toEqual([0]);
    expect(rows.out.split("\n").filter((line) => line.length > 1_000).length).toBe(900);
  });
});

withPrograms(
  "an MQTT broker",
  ["mosquitto", "mosquitto_pub", "mosquitto_sub"],
  "mosquitto mosquitto-clients",
  () => {
    test("[O170] a message that is published at one node arrives at another", async () => {
      const port = await publish("mqtt", "mosquitto", 1883);
      const subscribed = run("mosquitto_sub", [
        "-h",
        "127.0.0.2",
        "-p",
        port,
        "-t",
        "hive",
        "-C",
        "1",
        "-W",
        "20",
      ]);
      const sent = await run("mosquitto_pub", [
        "-h",
        "127.0.0.4",
        "-p",
        port,
        "-t",
        "hive",
        "-m",
        "waggle",
        "-r",
      ]);
      expect(outputOf(sent)).toEqual([0, "", ""]);
      expect(outputOf(await subscribed)).toEqual([0, "waggle", ""]);
    });
  },
);
