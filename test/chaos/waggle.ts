// Waggle as `waggle up` starts it, with the task program as an image; the load goes to the balancer.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { type Contender, type Machines, nodeCount, type Setup } from "./contender.ts";
import { blackhole } from "./sandbox.ts";

const image = "chaos/task";
const service = "my-web";
const program = fileURLToPath(new URL("faulty.ts", import.meta.url));

type EngineTask = {
  readonly NodeID: string;
  readonly Slot: number;
  readonly DesiredState: string;
  readonly Status: { readonly State: string; readonly ContainerStatus?: { readonly PID?: number } };
};
type EngineNode = {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: object;
  readonly Description: { readonly Hostname: string };
};
type EngineService = {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly TaskTemplate: { readonly ForceUpdate?: number } };
  readonly UpdateStatus?: { readonly State: string };
};

/** The nodes of a mesh under test, by their numbers. */
export type WaggleNodes = {
  /** Process id of the agent. */
  readonly agentPid: (node: number) => number;
  /** Loses each packet to and from a node. @returns a function that ends it */
  readonly cut: (node: number) => () => void;
  readonly machines: Machines | null;
};

/** Writes the file of the agents' images. @returns its name */
export function writeImages(dir: string): string {
  const images = join(dir, "images.json");
  // The same check as HAProxy's: a TCP connect.
  writeFileSync(images, JSON.stringify({ [image]: { command: [process.execPath, program], probe: "tcp" } }));
  return images;
}

/** Flags of a mesh under the rules of Cloudflare's platform, as hard as a row of 12 s can take them. */
const edgeFlags = ["--edge", "--rtt", "50", "--isolates", "4", "--evict-every", "3s", "--reset-every", "5s"];

/** The platform's failure of the registry, which is an object, is in each row. */
export const objectsAreReset =
  "the registry is an object, which is reset in all rows and answers at once again";

/**
 * @param dir an empty folder for the state
 * @param isEdge runs the mesh under the platform's rules
 */
export async function startWaggle(dir: string, setup: Setup, isEdge = false): Promise<Contender> {
  const mode = isEdge ? edgeFlags : ["--split"];
  const flags = ["--empty", ...mode, "--nodes", String(nodeCount), "--images", writeImages(dir)];
  const mesh = await MeshProcess.start(flags, join(dir, "state"));
  try {
    const agentPid = (node: number) => mesh.agentPid(`node${node}`);
    const nodes = { agentPid, cut: blackhole, machines: null };
    const contender = contenderOf(mesh, await createService(mesh, setup), nodes);
    return isEdge ? { ...contender, killRegistry: objectsAreReset } : contender;
  } catch (error) {
    await mesh.stop();
    throw error;
  }
}

/** Creates the service and waits until its tasks run. @returns its URL at the balancer */
export async function createService(mesh: MeshProcess, setup: Setup): Promise<string> {
  const port = await freePort();
  const env = Object.entries(setup.env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const flags = ["--name", service, "-p", `${port}:80`, "--replicas", String(setup.tasks)];
  // With --detach, because a task that keeps crashing never converges.
  await waggle(mesh, "service", "create", "--detach", ...flags, ...env, image);
  const url = `http://${new URL(mesh.control).hostname}:${port}/`;
  await until("the service to respond", async () => (await fetch(url)).status !== 404, { withinMs: 30_000 });
  const minRunning = setup.env.FAULT === "crash" ? setup.tasks - 1 : setup.tasks;
  await until("the tasks to run", async () => (await runningTasks(mesh)).length >= minRunning, {
    withinMs: 30_000,
  });
  return url;
}

export function contenderOf(mesh: MeshProcess, url: string, nodes: WaggleNodes): Contender {
  // The tasks from before the registry was killed; null while the registry runs.
  let lastKnown: readonly EngineTask[] | null = null;
  return {
    name: "Waggle",
    url,
    killTask: async (slot) => {
      const tasks = lastKnown ?? (await runningTasks(mesh));
      const pid = tasks.find((task) => task.Slot === slot)?.Status.ContainerStatus?.PID;
      if (pid === undefined) throw new Error(`${service}.${slot} does not run`);
      process.kill(pid, "SIGKILL");
    },
    freezeNode: async (node) => {
      const pids = [nodes.agentPid(node), ...(await pidsOn(mesh, node))];
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      return () => {
        for (const pid of pids) process.kill(pid, "SIGCONT");
      };
    },
    cutNode: async (node) => nodes.cut(node),
    scale: (tasks) => updateService(mesh, (spec) => ({ ...spec, Mode: { Replicated: { Replicas: tasks } } })),
    drain: (node) => drain(mesh, node),
    roll: () => roll(mesh),
    killAgent: async (node) => void process.kill(nodes.agentPid(node), "SIGKILL"),
    killRegistry: async () => {
      // The supervisor is frozen so that it does not restart workerd.
      const supervisorPid = mesh.runtimePid();
      const pids = mesh.workerdPids();
      lastKnown = await runningTasks(mesh);
      process.kill(supervisorPid, "SIGSTOP");
      for (const pid of pids) process.kill(pid, "SIGKILL");
      return () => {
        process.kill(supervisorPid, "SIGCONT");
        lastKnown = null;
      };
    },
    rotateKey: () => post(mesh, "/mesh/gateway-key/rotate", {}),
    machines: nodes.machines,
    stop: async () => {
      const killTimer = setTimeout(() => mesh.signal("SIGKILL"), 30_000);
      await mesh.stop();
      clearTimeout(killTimer);
      for (const pid of mesh.allPids()) process.kill(pid, "SIGKILL");
    },
  };
}

async function waggle(mesh: MeshProcess, ...args: string[]): Promise<void> {
  const { code, err } = await mesh.waggle(...args);
  if (code !== 0) throw new Error(`waggle ${args.join(" ")}: ${err}`);
}

// Changes go to the control API directly: a CLI process would use CPU time that HAProxy's side does not need.

async function drain(mesh: MeshProcess, number: number): Promise<void> {
  const nodes = await mesh.get<EngineNode[]>("/nodes");
  const node = nodes.find((candidate) => candidate.Description.Hostname === `node${number}`);
  if (node === undefined) throw new Error(`node${number} not found`);
  const path = `/nodes/${node.ID}/update?version=${node.Version.Index}`;
  await post(mesh, path, { ...node.Spec, Availability: "drain" });
}

/** Replaces every task by the service's update policy, and waits until the update is complete. */
async function roll(mesh: MeshProcess): Promise<void> {
  await updateService(mesh, ({ TaskTemplate, ...spec }) => ({
    ...spec,
    TaskTemplate: { ...TaskTemplate, ForceUpdate: (TaskTemplate.ForceUpdate ?? 0) + 1 },
  }));
  const state = async () => (await getService(mesh)).UpdateStatus?.State;
  await until("the update to complete", async () => (await state()) === "completed", {
    withinMs: 60_000,
    everyMs: 250,
  });
}

async function updateService(
  mesh: MeshProcess,
  change: (spec: EngineService["Spec"]) => object,
): Promise<void> {
  const { ID, Version, Spec } = await getService(mesh);
  await post(mesh, `/services/${ID}/update?version=${Version.Index}`, change(Spec));
}

function getService(mesh: MeshProcess): Promise<EngineService> {
  return mesh.get<EngineService>(`/services/${service}`);
}

export async function post(mesh: MeshProcess, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${mesh.token}`, "content-type": "application/json" };
  const response = await fetch(mesh.control + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
}

async function runningTasks(mesh: MeshProcess): Promise<readonly EngineTask[]> {
  const tasks = await mesh.get<EngineTask[]>("/tasks");
  return tasks.filter((task) => task.DesiredState === "running" && task.Status.State === "running");
}

/** Process ids of the running tasks of a node. */
export async function pidsOn(mesh: MeshProcess, node: number): Promise<readonly number[]> {
  const nodes = await mesh.get<EngineNode[]>("/nodes");
  const id = nodes.find((candidate) => candidate.Description.Hostname === `node${node}`)?.ID;
  const tasks = (await runningTasks(mesh)).filter((task) => task.NodeID === id);
  return tasks.flatMap((task) => task.Status.ContainerStatus?.PID ?? []);
}
