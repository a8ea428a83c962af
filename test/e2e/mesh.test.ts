// A whole mesh on this machine, used as a person would: requests, killed processes, drained nodes, restarts.

import { chmodSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { freePort, MeshProcess, newStateDir, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const nodes = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

type Who = { node: string; task: string; slot: number; headers: Record<string, string> };
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
  const made = await mesh.waggle(
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
  expect(made, made.err).toMatchObject({ code: 0 });
}

async function who(address: string, on = port): Promise<Who> {
  const response = await fetch(`http://${address}:${on}/`, { headers: { accept: "application/json" } });
  expect(response.status).toBe(200);
  return (await response.json()) as Who;
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
  const all = await mesh.get<EngineNode[]>("/nodes");
  return all.find((node) => node.Description.Hostname === name)?.Status.State;
}

/** The task in a slot that runs, with the process it is. */
async function runningTask(
  service: string,
  slot: number,
): Promise<{ id: string; node: string; pid: number }> {
  const [task, all] = await Promise.all([running(service), mesh.get<EngineNode[]>("/nodes")]);
  const found = task.find((one) => one.Slot === slot);
  const pid = found?.Status.ContainerStatus?.PID;
  if (found === undefined || pid === undefined) throw new Error(`${service}.${slot} does not run`);
  const node = all.find((one) => one.ID === found.NodeID)?.Description.Hostname ?? "";
  return { id: found.ID, node, pid };
}

test("[U2] every node answers on the published port, also the one without a task, and the answers alternate", async () => {
  for (const address of nodes) {
    const slots = [];
    for (let turn = 0; turn < 6; turn++) slots.push((await who(address)).slot);
    expect(slots.filter((slot) => slot === 1)).toHaveLength(3);
    expect(new Set(slots.slice(0, 2)).size).toBe(2);
  }
});

test("[U3] the balancer answers on the published port and, for the default service, on its own", async () => {
  for (const on of [port, mesh.edgePort]) {
    const seen = new Set<number>();
    for (let turn = 0; turn < 12; turn++) seen.add((await who("127.0.0.1", on)).slot);
    expect(seen).toEqual(new Set([1, 2]));
  }
});

test("[U4] a service created later opens its port on every node at once, and removing it closes the port", async () => {
  const later = await freePort();
  await createService("later", later, 1);
  for (const address of [...nodes, "127.0.0.1"]) expect((await who(address, later)).slot).toBe(1);
  await mesh.waggle("service", "rm", "later");
  await until("the ports to close", async () => {
    const open = await Promise.all([...nodes, "127.0.0.1"].map((address) => answers(address, later)));
    return open.every((one) => !one);
  });
});

async function answers(address: string, on: number): Promise<boolean> {
  return fetch(`http://${address}:${on}/`).then(
    () => true,
    () => false,
  );
}

test("[U5] a host-mode service answers only on the nodes that run it, each with its own task", async () => {
  const hostPort = await freePort();
  const publish = `published=${hostPort},target=80,mode=host`;
  const made = await mesh.waggle(
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
  expect(made, made.err).toMatchObject({ code: 0 });
  await until("all nodes to answer", async () =>
    (await Promise.all(nodes.map((one) => answers(one, hostPort)))).every(Boolean),
  );
  for (const [index, address] of nodes.entries())
    expect((await who(address, hostPort)).node).toBe(`node${index + 1}`);
  expect(await answers("127.0.0.1", hostPort)).toBe(false);
  await mesh.waggle("service", "update", "--constraint-add", "node.hostname==node2", "host-web");
  await until("only node2 to answer", async () => {
    const open = await Promise.all(nodes.map((one) => answers(one, hostPort)));
    return open.join() === "false,true,false";
  });
  await mesh.waggle("service", "rm", "host-web");
});

test("[U7] kill -9 of a task fails no request, is replaced, and service ps says what happened", async () => {
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
      const all = await mesh.get<EngineNode[]>("/nodes");
      const id = all.find((one) => one.Description.Hostname === node)?.ID;
      const tasks = await tasksOf("my-web");
      const left = tasks.filter(
        (task) => task.NodeID === id && ["starting", "running"].includes(task.Status.State),
      );
      return left.length === 0 && (await running("my-web")).length === 2;
    },
    { withinMs: 20_000 },
  );
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  await mesh.waggle("node", "update", "--availability", "active", node);
});

test("[U9] kill -9 of workerd: it comes back, agents redial, services and tasks are as they were", async () => {
  const before = (await running("my-web")).map((task) => task.ID).sort();
  const [workerd] = mesh.workerdPids();
  if (workerd === undefined) throw new Error("workerd does not run");
  process.kill(workerd, "SIGKILL");
  await until("workerd to be another", () => mesh.workerdPids().some((pid) => pid !== workerd));
  await until("the mesh to answer", () => who("127.0.0.2"), { withinMs: 15_000 });
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

test("[U16] a frozen agent's node is down after three missed beats, its tasks run elsewhere, and it comes back without running a slot twice", async () => {
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

test("[U17] kill -9 of an agent: its node is down, its tasks run elsewhere, and its own address keeps answering", async () => {
  const lost = await runningTask("my-web", 1);
  const address = `127.0.0.${Number(lost.node.slice(4)) + 1}`;
  const load = startLoad([`http://${address}:${port}/`], 2);
  process.kill(mesh.agentPid(lost.node), "SIGKILL");
  await until("the node to be down", async () => (await nodeState(lost.node)) === "down", {
    withinMs: 30_000,
  });
  await until("the slot to run elsewhere", async () => (await runningTask("my-web", 1)).node !== lost.node, {
    withinMs: 10_000,
  });
  expect((await load.stop()).failures).toEqual([]);
  expect((await who(address)).slot).toBeGreaterThan(0);
});

test("[U18] a second start on the same state folder is refused with the reason", async () => {
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

test("[U19] Ctrl-C leaves no process, and the next start finds the services as they were", async () => {
  const stateDir = mesh.stateDir;
  expect(await mesh.stop()).toBe(0);
  expect(mesh.allPids()).toEqual([]);
  mesh = await MeshProcess.start([], stateDir);
  expect(await running("my-web")).toHaveLength(2);
  for (const address of nodes) expect((await who(address)).slot).toBeGreaterThan(0);
});

test("[U19] SIGTERM to `npm start` stops the mesh in order and leaves no process", async () => {
  const stateDir = mesh.stateDir;
  await mesh.stop();
  const npm = await MeshProcess.startByNpm(stateDir);
  npm.signal("SIGTERM");
  await npm.ended();
  expect(npm.output).toContain("Stopped.");
  expect(npm.allPids()).toEqual([]);
  mesh = await MeshProcess.start([], stateDir);
});

test("[U60] what the state folder holds is its owner's alone, also where the folder itself lets others in", async () => {
  const stateDir = mesh.stateDir;
  expect(await mesh.stop("SIGHUP")).toBe(0);
  chmodSync(stateDir, 0o755);
  chmodSync(join(stateDir, "registry"), 0o755);
  mesh = await MeshProcess.start([], stateDir);
  const others = 0o077;
  const open = readdirSync(stateDir).filter((name) => (statSync(join(stateDir, name)).mode & others) !== 0);
  expect(open).toEqual([]);
});

test("[U20] a mesh killed outright leaves nothing running for long, and starts again", async () => {
  const stateDir = mesh.stateDir;
  mesh.signal("SIGKILL");
  await mesh.ended();
  await until("its children to end", () => mesh.allPids().length === 0, { withinMs: 20_000 });
  mesh = await MeshProcess.start([], stateDir);
  await until("both tasks", async () => (await running("my-web")).length === 2);
});

test("[U21] a control port that is taken is named, with what would work", async () => {
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
