// A whole mesh on this machine under requests, killed processes, drained nodes and restarts.

import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { freePort, isUnderPlatformRules, MeshProcess, newStateDir, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const nodes = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

type WhoAmI = { node: string; task: string; slot: number; headers: Record<string, string> };
type EngineTask = {
  ID: string;
  NodeID: string;
  Slot: number;
  DesiredState: string;
  Status: { State: string; Err?: string; ContainerStatus?: { PID?: number } };
};
type EngineNode = {
  ID: string;
  Description: { Hostname: string };
  Status: { State: string };
  Spec: { Availability: string };
};

let mesh: MeshProcess;
let port: number;

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty"]);
  port = await freePort();
  await createService("my-web", port, 2);
});

afterAll(async () => {
  await mesh?.remove();
});

async function createService(name: string, published: number, replicas: number): Promise<void> {
  const created = await mesh.waggle(
    "service",
    "create",
    "--name",
    name,
    "-p",
    `${published}:80`,
    "--replicas",
    String(replicas),
    "waggle/whoami",
  );
  expect(created, created.err).toMatchObject({ code: 0 });
}

async function whoami(address: string, servicePort = port): Promise<WhoAmI> {
  const response = await fetch(`http://${address}:${servicePort}/`, {
    headers: { accept: "application/json" },
  });
  expect(response.status).toBe(200);
  return (await response.json()) as WhoAmI;
}

const tasksOf = (service: string) =>
  mesh.get<EngineTask[]>(
    `/tasks?filters=${encodeURIComponent(JSON.stringify({ service: { [service]: true } }))}`,
  );

const running = async (service: string) =>
  (await tasksOf(service)).filter(
    (task) => task.DesiredState === "running" && task.Status.State === "running",
  );

async function nodeState(name: string): Promise<string | undefined> {
  const engineNodes = await mesh.get<EngineNode[]>("/nodes");
  return engineNodes.find((node) => node.Description.Hostname === name)?.Status.State;
}

/** The running task of a slot, with its process id. */
async function runningTask(
  service: string,
  slot: number,
): Promise<{ id: string; node: string; pid: number }> {
  const [tasks, engineNodes] = await Promise.all([running(service), mesh.get<EngineNode[]>("/nodes")]);
  const task = tasks.find(({ Slot }) => Slot === slot);
  const pid = task?.Status.ContainerStatus?.PID;
  if (task === undefined || pid === undefined) throw new Error(`${service}.${slot} is not running`);
  const node = engineNodes.find(({ ID }) => ID === task.NodeID)?.Description.Hostname ?? "";
  return { id: task.ID, node, pid };
}

test("[U2] every node responds on the published port, even without a task, and responses alternate between tasks", async () => {
  for (const address of nodes) {
    const slots = [];
    // Each isolate alternates on its own.
    const turns = isUnderPlatformRules ? 30 : 6;
    for (let turn = 0; turn < turns; turn++) slots.push((await whoami(address)).slot);
    if (isUnderPlatformRules) {
      expect(new Set(slots)).toEqual(new Set([1, 2]));
      continue;
    }
    expect(slots.filter((slot) => slot === 1)).toHaveLength(3);
    expect(new Set(slots.slice(0, 2)).size).toBe(2);
  }
});

test("[U3] the balancer responds on the published port and, for the default service, on its own port", async () => {
  for (const balancerPort of [port, mesh.edgePort]) {
    const slots = new Set<number>();
    for (let turn = 0; turn < 12; turn++) slots.add((await whoami("127.0.0.1", balancerPort)).slot);
    expect(slots).toEqual(new Set([1, 2]));
  }
});

test("[U4] a new service opens its port on every node at once, and its removal closes the port", async () => {
  const laterPort = await freePort();
  await createService("later", laterPort, 1);
  for (const address of [...nodes, "127.0.0.1"]) expect((await whoami(address, laterPort)).slot).toBe(1);
  await mesh.waggle("service", "rm", "later");
  await until("the ports to close", async () => {
    const open = await Promise.all([...nodes, "127.0.0.1"].map((address) => responds(address, laterPort)));
    return open.every((isOpen) => !isOpen);
  });
});

async function responds(address: string, servicePort: number): Promise<boolean> {
  return fetch(`http://${address}:${servicePort}/`).then(
    () => true,
    () => false,
  );
}

test("[U5] a host-mode port responds only on nodes with a task, each with its own task", async () => {
  const hostPort = await freePort();
  const publish = `published=${hostPort},target=80,mode=host`;
  const created = await mesh.waggle(
    "service",
    "create",
    "--name",
    "host-web",
    "-p",
    publish,
    "--mode",
    "global",
    "waggle/whoami",
  );
  expect(created, created.err).toMatchObject({ code: 0 });
  await until("all nodes to respond", async () =>
    (await Promise.all(nodes.map((address) => responds(address, hostPort)))).every(Boolean),
  );
  for (const [index, address] of nodes.entries())
    expect((await whoami(address, hostPort)).node).toBe(`node${index + 1}`);
  expect(await responds("127.0.0.1", hostPort)).toBe(false);
  await mesh.waggle("service", "update", "--constraint-add", "node.hostname==node2", "host-web");
  await until("only node2 to respond", async () => {
    const open = await Promise.all(nodes.map((address) => responds(address, hostPort)));
    return open.join() === "false,true,false";
  });
  await mesh.waggle("service", "rm", "host-web");
});

test("[U7] after kill -9 of a task no request fails, the task is replaced, and service ps shows the cause", async () => {
  const load = startLoad(nodes.map((address) => `http://${address}:${port}/`));
  const before = await runningTask("my-web", 1);
  process.kill(before.pid, "SIGKILL");
  await until("a replacement", async () => (await runningTask("my-web", 1)).id !== before.id, {
    withinMs: 5_000,
  });
  const { sent, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(20);
  const ps = await mesh.waggle("service", "ps", "my-web");
  expect(ps.out).toMatch(/\\_ my-web\.1 .*Failed .*"task: non-zero exit \(137\)/);
});

test("[U8] a drained node's tasks are replaced before they stop, and no request fails", async () => {
  const { node } = await runningTask("my-web", 1);
  const load = startLoad(nodes.map((address) => `http://${address}:${port}/`));
  const drained = await mesh.waggle("node", "update", "--availability", "drain", node);
  expect(drained, drained.err).toMatchObject({ code: 0 });
  await until(
    "the node to be empty",
    async () => {
      const engineNodes = await mesh.get<EngineNode[]>("/nodes");
      const id = engineNodes.find(({ Description }) => Description.Hostname === node)?.ID;
      const tasks = await tasksOf("my-web");
      const live = tasks.filter(
        (task) => task.NodeID === id && ["starting", "running"].includes(task.Status.State),
      );
      return live.length === 0 && (await running("my-web")).length === 2;
    },
    { withinMs: 20_000 },
  );
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  await mesh.waggle("node", "update", "--availability", "active", node);
});

test("[U9] after kill -9 of workerd it restarts, agents reconnect, and services and tasks are unchanged", async () => {
  const before = (await running("my-web")).map((task) => task.ID).sort();
  const [workerd] = mesh.workerdPids();
  if (workerd === undefined) throw new Error("workerd is not running");
  process.kill(workerd, "SIGKILL");
  await until("a new workerd", () => mesh.workerdPids().some((pid) => pid !== workerd));
  await until("the mesh to respond", () => whoami("127.0.0.2"), { withinMs: 15_000 });
  await until(
    "the nodes to be ready",
    async () => {
      const states = await Promise.all(["node1", "node2", "node3"].map(nodeState));
      return states.every((state) => state === "ready");
    },
    { withinMs: 15_000 },
  );
  const load = startLoad(nodes.map((address) => `http://${address}:${port}/`));
  expect((await running("my-web")).map((task) => task.ID).sort()).toEqual(before);
  expect((await load.stop()).failures).toEqual([]);
});

test("[U16] the node of a frozen agent is down after three missed heartbeats, its tasks are replaced, and it returns without running a slot twice", async () => {
  const frozen = await runningTask("my-web", 1);
  const agent = mesh.agentPid(frozen.node);
  const load = startLoad(
    nodes.map((address) => `http://${address}:${port}/`),
    2,
  );
  process.kill(agent, "SIGSTOP");
  try {
    await until("the node to be down", async () => (await nodeState(frozen.node)) === "down", {
      withinMs: 30_000,
    });
    await until("the slot to run elsewhere", async () => (await runningTask("my-web", 1)).id !== frozen.id, {
      withinMs: 10_000,
    });
  } finally {
    process.kill(agent, "SIGCONT");
  }
  await until("the node to be ready", async () => (await nodeState(frozen.node)) === "ready", {
    withinMs: 15_000,
  });
  await until("the old task's process to end", () => !isRunning(frozen.pid), { withinMs: 15_000 });
  expect(await running("my-web")).toHaveLength(2);
  expect((await load.stop()).failures).toEqual([]);
});

test("[U18] a second start with the same state folder is refused with the reason", async () => {
  const second = await run(process.execPath, [
    "src/cli/main.ts",
    "up",
    "--state",
    mesh.stateDir,
    "--port",
    String(await freePort()),
  ]);
  expect(second.code).toBe(1);
  expect(second.err).toContain(`is already running (process ${mesh.pid})`);
});

test("[U19] Ctrl-C leaves no process, and the next start restores the services", async () => {
  const stateDir = mesh.stateDir;
  expect(await mesh.stop()).toBe(0);
  expect(mesh.allPids()).toEqual([]);
  mesh = await MeshProcess.start([], stateDir);
  expect(await running("my-web")).toHaveLength(2);
  for (const address of nodes) expect((await whoami(address)).slot).toBeGreaterThan(0);
});

test("[U19] SIGTERM to `npm start` stops the mesh gracefully and leaves no process", async () => {
  const stateDir = mesh.stateDir;
  await mesh.stop();
  const npm = await MeshProcess.startByNpm(stateDir);
  npm.signal("SIGTERM");
  await npm.ended();
  expect(npm.output).toContain("Stopped.");
  expect(npm.allPids()).toEqual([]);
  mesh = await MeshProcess.start([], stateDir);
});

test("[U60] only the owner can read the files in the state folder, even if others can enter the folder", async () => {
  const stateDir = mesh.stateDir;
  expect(await mesh.stop("SIGHUP")).toBe(0);
  chmodSync(stateDir, 0o755);
  chmodSync(join(stateDir, "registry"), 0o755);
  mesh = await MeshProcess.start([], stateDir);
  const groupAndOthers = 0o077;
  const isShared = (name: string) => (statSync(join(stateDir, name)).mode & groupAndOthers) !== 0;
  expect(readdirSync(stateDir).filter(isShared)).toEqual([]);
});

test("[U20] the children of a killed mesh end soon, and the mesh starts again", async () => {
  const stateDir = mesh.stateDir;
  mesh.signal("SIGKILL");
  await mesh.ended();
  await until("its children to end", () => mesh.allPids().length === 0, { withinMs: 20_000 });
  mesh = await MeshProcess.start([], stateDir);
  await until("both tasks", async () => (await running("my-web")).length === 2);
});

test("[U21] a control port in use is reported, with the flag that changes it", async () => {
  const stateDir = newStateDir();
  const refused = await run(process.execPath, [
    "src/cli/main.ts",
    "up",
    "--state",
    stateDir,
    "--port",
    String(mesh.controlPort),
  ]);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(`127.0.0.1:${mesh.controlPort}`);
  expect(refused.err).toContain("--port");
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("[U19] a start that fails after the children run stops them, and ends with the reason", async () => {
  const stateDir = newStateDir();
  mkdirSync(join(stateDir, "mesh.json"), { recursive: true });
  const [port, edgePort] = [String(await freePort()), String(await freePort())];
  const flags = ["--state", stateDir, "--nodes", "0", "--port", port, "--edge-port", edgePort];
  const failed = await run(process.execPath, ["src/cli/main.ts", "up", ...flags]);
  expect(failed.code).toBe(1);
  expect(failed.err).toContain(`cannot write ${stateDir}/mesh.json`);
});
