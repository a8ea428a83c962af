// `waggle up` under `kill -9` of each of its processes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listenBacklog } from "../../src/agent/listen-backlog.ts";
import { identify, isRunning, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { freePort, MeshProcess, newStateDir, run } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const nodes = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
const restartWithin = { withinMs: 30_000 };

type WhoAmI = { readonly task: string; readonly node: string };

let mesh: MeshProcess;
let port: number;

async function startMesh(starting: Promise<MeshProcess>): Promise<void> {
  mesh = await starting;
  port = await freePort();
  const service = ["--name", "web", "-p", `${port}:80`, "--replicas", "2", "waggle/whoami"];
  const created = await mesh.waggle("service", "create", ...service);
  expect(created, created.err).toMatchObject({ code: 0 });
}

/** The tasks that respond at every node's address. */
async function tasksServed(): Promise<readonly string[]> {
  const requests = [...nodes, ...nodes].map(async (address) => {
    const response = await fetch(`http://${address}:${port}/`, { headers: { accept: "application/json" } });
    if (response.status !== 200) throw new Error(`${address} responded with ${response.status}`);
    return ((await response.json()) as WhoAmI).task;
  });
  return [...new Set(await Promise.all(requests))].sort();
}

/** Waits until these tasks respond again, and no others. */
function untilServed(tasks: readonly string[]): Promise<unknown> {
  const isSame = async () => (await tasksServed()).join() === tasks.join();
  return until("the same tasks", isSame, restartWithin);
}

/** Kills a process and waits until the mesh has printed all of `texts` since then. */
async function killAndAwait(pid: number, ...texts: string[]): Promise<void> {
  const before = mesh.output.length;
  process.kill(pid, "SIGKILL");
  for (const text of texts)
    await until(`"${text}"`, () => mesh.output.slice(before).includes(text), restartWithin);
}

function runningProcess(pid: number | undefined): ProcessIdentity {
  const identity = identify(pid ?? 0);
  if (identity === null) throw new Error(`process ${pid} does not run`);
  return identity;
}

type Runtime = readonly [name: "runtime" | "traffic", title: string];
type Mode = {
  readonly mode: string;
  readonly args: readonly string[];
  readonly runtimes: readonly Runtime[];
};

describe.each<Mode>([
  { mode: "one runtime", args: [], runtimes: [["runtime", "the Workers runtime"]] },
  {
    mode: "a split mesh",
    args: ["--split"],
    runtimes: [
      ["runtime", "the Workers runtime of the registry"],
      ["traffic", "the Workers runtime of the data plane"],
    ],
  },
])("$mode", ({ args, runtimes }) => {
  beforeAll(() => startMesh(MeshProcess.start(["--empty", ...args])));
  afterAll(() => mesh?.remove());

  test.each<Runtime>(runtimes)(
    "[U100] a killed workerd of the %s is started again and serves the same tasks",
    async (name, title) => {
      const served = await tasksServed();
      const workerd = runningProcess(mesh.workerdPids(name)[0]);
      await killAndAwait(
        workerd.pid,
        `${title}: workerd exited (SIGKILL); starting it again; log: ${mesh.stateDir}/log/${name}.log`,
        `${title}: workerd is running again`,
      );
      await untilServed(served);
    },
  );

  test.each<Runtime>(runtimes)(
    "[U100] a killed process of the %s is started again, and its workerd ends with it",
    async (name, title) => {
      const served = await tasksServed();
      const workerd = runningProcess(mesh.workerdPids(name)[0]);
      await killAndAwait(mesh.runtimePid(name), `${title} exited (SIGKILL)`, `${title} is running again`);
      expect(isRunning(workerd)).toBe(false);
      expect(mesh.workerdPids(name)).toHaveLength(1);
      await untilServed(served);
    },
  );

  test.each<Runtime>(runtimes)(
    "[U101] a workerd of the %s that dies twice in a row is started again by another process",
    async (name, title) => {
      await killAndAwait(mesh.workerdPids(name)[0] ?? 0, `${title}: workerd is running again`);
      const parent = runningProcess(mesh.runtimePid(name));
      await killAndAwait(mesh.workerdPids(name)[0] ?? 0, `${title} exited (1)`, `${title} is running again`);
      expect(isRunning(parent)).toBe(false);
      await until("responses", tasksServed, restartWithin);
    },
  );
});

describe("one runtime, and its agents", () => {
  beforeAll(() => startMesh(MeshProcess.start(["--empty"])));
  afterAll(() => mesh?.remove());

  test("[U17] a killed agent is started again; its node and its tasks stay as they are", async () => {
    const served = await tasksServed();
    for (const node of ["node1", "node2", "node3"])
      await killAndAwait(
        mesh.agentPid(node),
        `the agent of ${node} exited (SIGKILL)`,
        `the agent of ${node} is running again`,
      );
    expect(await tasksServed()).toEqual(served);
    const listed = await mesh.get<readonly { Status: { State: string } }[]>("/nodes");
    // The first is the mesh itself.
    expect(listed.map(({ Status }) => Status.State)).toEqual(["ready", "ready", "ready", "ready"]);
  });

  const noSetpriv = missingPrograms(["setpriv"]).length > 0;

  test.skipIf(noSetpriv)(
    `[U103] the kernel ends workerd with its parent${noSetpriv ? " (skipped: no setpriv; apt-get install util-linux)" : ""}`,
    async () => {
      const workerd = runningProcess(mesh.workerdPids()[0]);
      // No process of the mesh can end it.
      process.kill(mesh.pid, "SIGSTOP");
      try {
        process.kill(mesh.runtimePid(), "SIGKILL");
        await until("the end of workerd", () => !isRunning(workerd));
      } finally {
        process.kill(mesh.pid, "SIGCONT");
      }
      await mesh.waitForOutput("the Workers runtime is running again", 30_000);
      await until("responses", tasksServed, restartWithin);
    },
  );

  test("[U103] after kill -9 of the mesh and of its runtime a start at once has the only workerd", async () => {
    const { stateDir } = mesh;
    const served = await tasksServed();
    const workerd = runningProcess(mesh.workerdPids()[0]);
    const runtime = mesh.runtimePid();
    process.kill(mesh.pid, "SIGKILL");
    process.kill(runtime, "SIGKILL");
    mesh = await MeshProcess.start([], stateDir);
    expect(isRunning(workerd)).toBe(false);
    expect(mesh.workerdPids()).toHaveLength(1);
    expect(mesh.output).toContain("The mesh is restored");
    expect(await until("responses", tasksServed, restartWithin)).toHaveLength(served.length);
  });

  test("[U103] the processes of a mesh are saved with their start times while it runs", () => {
    const saved = JSON.parse(readFileSync(join(mesh.stateDir, "children.json"), "utf8")) as ProcessIdentity[];
    const agents = ["node1", "node2", "node3"].map((node) => mesh.agentPid(node));
    const expected = [mesh.runtimePid(), ...mesh.workerdPids(), ...agents];
    expect(saved.map(({ pid }) => pid).sort()).toEqual(expected.sort());
    expect(saved.every(isRunning)).toBe(true);
  });
});

describe("2,000 file descriptors and 1,500 idle clients", () => {
  const clients: Socket[] = [];

  beforeAll(() => startMesh(MeshProcess.startWithFiles(2_000, ["--empty"])));
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await mesh?.remove();
  });

  test("[U112] requests are answered, and a killed runtime is started again", async () => {
    expect(mesh.output).toContain("this process may open 2000 files");
    for (let count = 0; count < 1_500; count++) {
      const client = connect(port, "127.0.0.2");
      client.on("error", () => client.destroy());
      clients.push(client);
      await once(client, "connect");
    }
    await until("responses", tasksServed, restartWithin);
    await killAndAwait(
      mesh.runtimePid(),
      "the Workers runtime exited (SIGKILL)",
      "the Workers runtime is running again",
    );
    await until("responses", tasksServed, restartWithin);
    await killAndAwait(mesh.agentPid("node1"), "the agent of node1 is running again");
    await until("responses", tasksServed, restartWithin);
  });

  test("[U87] more slow requests than the runtime has descriptors for are 503 and do not end it", async () => {
    const [workerd] = mesh.workerdPids();
    const slow = await SlowService.publish("slow");
    try {
      const responses = slow.send(800);
      await until("all requests", () => slow.held.length + slow.refused === 800, restartWithin);
      expect(slow.held.length).toBeGreaterThan(200);
      slow.respond();
      expect(new Set(await Promise.all(responses))).toEqual(new Set([200, 503]));
      expect(mesh.workerdPids()).toEqual([workerd]);
    } finally {
      slow.close();
    }
  });

  test("[U87] refused uploads are 503 before their ends, also if their connections must make room", async () => {
    const [workerd] = mesh.workerdPids();
    const slow = await SlowService.publish("uploads");
    try {
      const responses = slow.send(2_500, { "content-length": "1000" });
      await until("all requests", () => slow.held.length + slow.refused === 2_500, restartWithin);
      slow.respond();
      expect(new Set(await Promise.all(responses))).toEqual(new Set([200, 503]));
      expect(mesh.workerdPids()).toEqual([workerd]);
    } finally {
      slow.close();
    }
  });

  test("[U87] connections that the runtime keeps to targets leave room for it to accept others", async () => {
    const [workerd] = mesh.workerdPids();
    const services: SlowService[] = [];
    try {
      for (const name of ["wave1", "wave2", "wave3", "wave4"]) services.push(await SlowService.publish(name));
      for (const slow of services) {
        const responses = slow.send(400);
        await until("all requests", () => slow.held.length + slow.refused === 400, restartWithin);
        slow.respond();
        for (const status of await Promise.all(responses)) expect([200, 503]).toContain(status);
      }
      expect(mesh.workerdPids()).toEqual([workerd]);
    } finally {
      for (const slow of services) slow.close();
    }
  });
});

/** A static service whose server responds to a POST only when the test says so. */
class SlowService {
  /** The requests that are open at the server. */
  readonly held: ServerResponse[] = [];
  /** Responses with another status than 200. */
  refused = 0;
  readonly #port: number;
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
    if (incoming.method === "GET") response.end();
    else this.held.push(response);
  });

  private constructor(port: number) {
    this.#port = port;
  }

  static async publish(name: string): Promise<SlowService> {
    const slow = new SlowService(await freePort());
    await new Promise<void>((resolve) =>
      slow.#server.listen({ host: "127.0.0.1", port: 0, backlog: listenBacklog }, resolve),
    );
    const { port } = slow.#server.address() as AddressInfo;
    for (const command of [
      ["service", "create", "--static", "--name", name, "-p", `${slow.#port}:80`],
      ["server", "add", name, "s1", `127.0.0.1:${port}`],
    ]) {
      expect(await mesh.waggle(...command)).toMatchObject({ code: 0 });
    }
    const isServed = async () => (await fetch(`http://127.0.0.2:${slow.#port}/`)).status === 200;
    await until("the server", isServed, restartWithin);
    return slow;
  }

  /** Sends POST requests at once. @returns their statuses; the code of a connection that broke */
  send(count: number, headers: Readonly<Record<string, string>> = {}): Promise<number | string>[] {
    return Array.from({ length: count }, async () => {
      const status = await this.#post(headers);
      if (status !== 200) this.refused += 1;
      return status;
    });
  }

  /** Ends the requests that are open at the server. */
  respond(): void {
    for (const response of this.held.splice(0)) response.end("ok");
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #post(headers: Readonly<Record<string, string>>): Promise<number | string> {
    return new Promise((resolve) => {
      const url = `http://127.0.0.2:${this.#port}/`;
      const options = { method: "POST", agent: false, headers: { ...headers, connection: "close" } };
      const sent = request(url, options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      // A request with a stated length has not ended.
      if ("content-length" in headers) sent.write("a");
      else sent.end("a");
    });
  }
}

const noFlock = missingPrograms(["flock"]).length > 0;

test.skipIf(noFlock)(
  `[U104] a workerd does not open a database that another one has open${noFlock ? " (skipped: no flock; apt-get install util-linux)" : ""}`,
  async () => {
    const stateDir = newStateDir();
    const holder = spawn(
      "flock",
      [join(stateDir, "registry.lock"), "sh", "-c", "echo locked; exec sleep 600"],
      {
        stdio: ["ignore", "pipe", "inherit"],
        detached: true,
      },
    );
    await once(holder.stdout, "data");
    try {
      const ports = ["--port", String(await freePort()), "--edge-port", String(await freePort())];
      const refused = await run(process.execPath, ["src/cli/main.ts", "up", "--state", stateDir, ...ports]);
      expect(refused.code).toBe(1);
      expect(refused.err).toContain(`another workerd has the database in ${stateDir}/registry open`);
    } finally {
      process.kill(-(holder.pid ?? 0), "SIGKILL");
      rmSync(stateDir, { recursive: true, force: true });
    }
  },
);
