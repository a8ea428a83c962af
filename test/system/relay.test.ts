// Machines with published ports, and a node that only its tunnel reaches: requests and connections go through the
// mesh's relay. Each machine is a network namespace.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findByEnvironment } from "../../src/os/process-identity.ts";
import { newStateDir } from "../support/mesh-process.ts";
import { type MachineProgram, Network, namespaceProblem } from "../support/namespaces.ts";
import { postgresCommand, postgresPrograms } from "../support/postgres.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const problem = namespaceProblem();
const reason = problem === null ? "" : ` (skipped: ${problem})`;
const taskFile = fileURLToPath(new URL("../support/chaos-http-task.ts", import.meta.url));

/** Larger than all buffers on the way together. */
const largeBytes = 100 * 1024 * 1024;
/** What those buffers, and garbage that is not collected yet, may take. */
const maxGrowthKb = 60 * 1024;

const redisScript = 'exec redis-server --bind $HOST --protected-mode no --port $PORT --save "" --dir .';
const missingRedis = missingPrograms(["redis-server", "redis-cli"]);
const missingPostgres = missingPrograms(postgresPrograms);

/** A WebSocket client that prints the echo of its text. */
const webSocketClient = `
  const socket = new WebSocket(process.argv[1]);
  socket.onopen = () => socket.send("over the relay");
  socket.onmessage = ({ data }) => { console.log(data); socket.close(); };
  socket.onerror = ({ message }) => console.log("error", message);
`;

describe.skipIf(problem !== null)(`the relay${reason}`, () => {
  const folder = newStateDir();
  const state = (name: string) => join(folder, name);
  const data = mkdtempSync(join(tmpdir(), "waggle-postgres-"));
  const ports = { control: 8787, web: 8080, both: 8081 };
  const machines = new Map<string, MachineProgram>();
  let network: Network;
  let control: string;
  const waggle = (...args: string[]) => network.waggle("mesh", "--state", state("mesh"), ...args);
  const curl = (...args: string[]) => network.run("mesh", "curl", "-sS", "-m", "30", ...args);
  const url = (name: string, path: string, port = ports.web) =>
    `http://${network.address(name)}:${port}${path}`;
  const status = async (name: string, port: number, path = "/observed") =>
    (await network.request("mesh", url(name, path, port))).status;
  const answers = (name: string, port: number) =>
    until(`${name} to answer at port ${port}`, async () => (await status(name, port)) === 200, {
      withinMs: 40_000,
    });

  function startMachine(name: string, ...more: string[]): void {
    const common = [control, "--name", name, "--state", state(name), "--images", join(folder, "images.json")];
    machines.set(name, network.start(name, ["agent", ...common, ...more]));
  }

  beforeAll(async () => {
    chmodSync(data, 0o777);
    network = new Network(["mesh", "a", "lb", "far"]);
    control = `http://${network.address("mesh")}:${ports.control}`;
    const image = {
      task: { command: [process.execPath, taskFile] },
      redis: { command: ["sh", "-c", redisScript] },
      postgres: { command: postgresCommand(data) },
    };
    writeFileSync(join(folder, "images.json"), JSON.stringify(image));
    const listen = ["--listen", network.address("mesh"), "--port", String(ports.control)];
    const mesh = network.start("mesh", ["up", "--nodes", "0", ...listen, "--state", state("mesh")]);
    await mesh.prints("Ctrl-C stops the mesh");
    const join_ = ["--join", (await waggle("join-token", "-q")).trim()];
    startMachine("a", "--address", network.address("a"), "--ingress", "--insecure", ...join_);
    // An address that no machine of the mesh can dial, as behind NAT.
    startMachine("far", "--address", "far.invalid", ...join_);
    const edge = ["edge", control, "--name", "lb", "--state", state("lb"), "--insecure", ...join_];
    machines.set("lb", network.start("lb", edge));
    await until("two nodes", async () => /2 of 2 nodes ready/.test(await waggle("status")), {
      withinMs: 40_000,
    });
    const create = (name: string, port: number, ...args: string[]) =>
      waggle("service", "create", "--name", name, "--publish", `${port}:80`, ...args, "task");
    await create("web", ports.web, "--constraint", "node.hostname==far");
    await create("both", ports.both, "--mode", "global");
    for (const name of ["a", "lb"]) {
      await answers(name, ports.web);
      await answers(name, ports.both);
    }
  }, 120_000);

  afterAll(async () => {
    await network?.remove();
    for (const path of [folder, data]) rmSync(path, { recursive: true, force: true });
  }, 60_000);

  test("[O220] a machine answers for a task that only a tunnel reaches, and the task gets the request as it was sent", async () => {
    expect(await waggle("node", "ls")).toMatch(/ far .* tunnel/);
    for (const name of ["a", "lb"]) {
      const headers = [
        "authorization: Basic dGVzdA==",
        "accept-encoding: identity",
        "cf-ray: 1",
        "x-kept: 1",
      ];
      const sent = headers.flatMap((line) => ["-H", line]);
      const lines = JSON.parse(await curl(...sent, url(name, "/headers")));
      const received = Object.fromEntries(
        lines.flatMap((line: string, at: number) =>
          at % 2 === 0 ? [[line.toLowerCase(), lines[at + 1]]] : [],
        ),
      );
      expect(received).toMatchObject({
        host: `${network.address(name)}:${ports.web}`,
        authorization: "Basic dGVzdA==",
        "accept-encoding": "identity",
        "x-kept": "1",
        "x-forwarded-for": network.address("mesh"),
      });
      expect(Object.keys(received).filter((line) => /^x-waggle-(?!loop)/.test(line))).toEqual([]);
    }
  });

  test("[O221] a POST through the relay is executed once", async () => {
    const count = async () => JSON.parse(await curl(url("a", "/observed"))).requests as number;
    const before = await count();
    for (let sent = 0; sent < 10; sent++)
      expect(JSON.parse(await curl("-d", "x".repeat(1000), url("a", "/count")))).toMatchObject({
        bytes: 1000,
      });
    expect(await count()).toBe(before + 11);
  });

  test("[O220] a WebSocket passes through the relay", async () => {
    const program = [process.execPath, "-e", webSocketClient, url("a", "/socket").replace("http", "ws")];
    expect(await network.run("mesh", ...(program as [string]))).toBe("over the relay\n");
  });

  test.skipIf(missingRedis.length > 0)(
    "[O227] Redis answers at a TCP port of a machine, from a node that only a tunnel reaches",
    async () => {
      const tcp = ["--label", "waggle.mode=tcp", "--constraint", "node.hostname==far"];
      await waggle("service", "create", "--name", "redis", ...tcp, "--publish", "6379:6379", "redis");
      const redis = (name: string, ...args: string[]) =>
        network.run("mesh", "redis-cli", "-h", network.address(name), ...args);
      for (const name of ["a", "lb"]) {
        await until("PONG", async () => (await redis(name, "PING").catch(String)) === "PONG\n");
        expect(await redis(name, "SET", name, "x".repeat(100_000))).toBe("OK\n");
      }
      // Both directions at once, and more than the windows of a connection.
      const load = await redis("a", "EVAL", "return string.rep('waggle', 2000000)", "0");
      expect(load.length).toBe(12_000_001);
      expect(await redis("lb", "GET", "a")).toBe(`${"x".repeat(100_000)}\n`);
      await waggle("service", "rm", "redis");
    },
  );

  test.skipIf(missingPostgres.length > 0)(
    "[O227] PostgreSQL answers at a TCP port of a machine, from a node that only a tunnel reaches",
    async () => {
      const tcp = ["--label", "waggle.mode=tcp", "--constraint", "node.hostname==far"];
      await waggle("service", "create", "--name", "postgres", ...tcp, "--publish", "5432:5432", "postgres");
      const psql = (name: string, sql: string) =>
        network.run("mesh", "psql", "-h", network.address(name), "-U", "app", "-d", "postgres", "-tAc", sql);
      for (const name of ["a", "lb"]) {
        await until(`an answer at ${name}`, async () => (await psql(name, "select 1")) === "1\n", {
          withinMs: 40_000,
        });
      }
      const fill = "create table t as select n, repeat('x', 1000) as text from generate_series(1, 5000) n";
      expect(await psql("a", fill)).toBe("SELECT 5000\n");
      expect(await psql("lb", "select count(*), sum(n), sum(length(text)) from t")).toBe(
        "5000|12502500|5000000\n",
      );
      const rows = await psql("lb", "select n, text from t order by n");
      expect(rows.split("\n").length).toBe(5_001);
      await waggle("service", "rm", "postgres");
    },
    90_000,
  );

  test("[O222] a large body passes in both directions with flat memory", async () => {
    const ofThisTest = findByEnvironment((text) => text.startsWith(`WAGGLE_CHILD=${folder}`));
    const pids = ofThisTest.map(({ identity }) => identity.pid);
    expect(pids.length).toBeGreaterThan(3);
    const transfer = async (bytes: number): Promise<void> => {
      const got = await curl("-o", "/dev/null", "-w", "%{size_download}", url("a", `/bytes/${bytes}`));
      expect(got).toBe(String(bytes));
      const upload = `head -c ${bytes} /dev/zero | curl -sS -m 60 -T - -X POST ${url("a", "/count")}`;
      expect(JSON.parse(await network.run("mesh", "sh", "-c", upload))).toMatchObject({ bytes });
    };
    await transfer(largeBytes / 4);
    const before = pids.map(residentKb);
    await transfer(largeBytes);
    const growth = pids.map((pid, at) => residentKb(pid) - (before[at] as number));
    expect(Math.max(...growth)).toBeLessThan(maxGrowthKb);
  });

  test("[O223] strangers get no further than the relay", async () => {
    const [node] = JSON.parse(await waggle("node", "inspect", "far"));
    const { nodeId, credential } = JSON.parse(readFileSync(join(state("a"), "node.json"), "utf8"));
    const attempt = `1 k ${"t".repeat(25)} 80 x.1 ${Date.now()} repeat ${"p".repeat(22)}`;
    const relayed = async (path: string, router: string, secret: string, header = attempt) => {
      const lines = [`x-waggle-relay-router: ${router}`, `x-waggle-relay-credential: ${secret}`];
      lines.push(`x-waggle-attempt: ${header}`, "x-waggle-target: /observed");
      const sent = lines.flatMap((line) => ["-H", line]);
      return curl(...sent, "-w", "%{http_code} %header{x-waggle-tunnel}", "-o", "/dev/null", control + path);
    };
    const far = `/mesh/relay/${node.ID}`;
    expect(await relayed(far, "", "")).toBe("401 denied");
    expect(await relayed(far, nodeId, "wrong")).toBe("401 denied");
    expect(await relayed(far, nodeId, credential, "nonsense")).toBe("400 denied");
    expect(await relayed("/mesh/relay/../swarm", nodeId, credential)).not.toContain("200");
    expect(await relayed(`/mesh/relay/${"z".repeat(25)}`, nodeId, credential)).toBe("404 denied");
    // A machine with a credential and no proof gets what anyone gets at a gateway.
    expect(await relayed(far, nodeId, credential)).toBe("403 ");
  });

  test("[O224] while the tunnel is away requests go to another task, or get a 503 with the reason", async () => {
    machines.get("far")?.kill("SIGSTOP");
    machines.get("far")?.kill("SIGKILL");
    await machines.get("far")?.exited;
    for (let sent = 0; sent < 8; sent++) {
      expect(await status("a", ports.both)).toBe(200);
      expect(
        await curl("-d", "x", "-w", "%{http_code}", "-o", "/dev/null", url("a", "/count", ports.both)),
      ).toBe("200");
    }
    const { status: refused, body } = await network.request("mesh", url("a", "/"));
    expect([refused, body]).toEqual([503, expect.stringMatching(/web/)]);
    startMachine("far", "--address", "far.invalid");
    await answers("a", ports.web);
  });
});

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
