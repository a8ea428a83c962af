// The mesh as `waggle up` starts it, with the task program as an image of its own; the load goes to its balancer.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { type Contender, nodeCount, type Setup } from "./contender.ts";

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

/** @param dir an empty folder for its state */
export async function startWaggle(dir: string, setup: Setup): Promise<Contender> {
  const images = join(dir, "images.json");
  // The same check as HAProxy's: whether the port can be connected to.
  writeFileSync(images, JSON.stringify({ [image]: { command: [process.execPath, program], probe: "tcp" } }));
  const flags = ["--empty", "--split", "--nodes", String(nodeCount), "--images", images];
  const mesh = await MeshProcess.start(flags, join(dir, "state"));
  try {
    return await withService(mesh, setup);
  } catch (error) {
    await mesh.stop();
    throw error;
  }
}

async function withService(mesh: MeshProcess, setup: Setup): Promise<Contender> {
  const port = await freePort();
  const env = Object.entries(setup.env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const shape = ["--name", service, "-p", `${port}:80`, "--replicas", String(setup.tasks)];
  // A task that keeps dying never settles, so that is not waited for here.
  await waggle(mesh, "service", "create", "--detach", ...shape, ...env, image);
  const url = `http://127.0.0.1:${port}/`;
  await until("the service to answer", async () => (await fetch(url)).status !== 404, { withinMs: 30_000 });
  const few = setup.env.FAULT === "crash" ? setup.tasks - 1 : setup.tasks;
  await until("the tasks to run", async () => (await running(mesh)).length >= few, { withinMs: 30_000 });
  // While the registry is gone nobody can be asked who runs where.
  let lastKnown: readonly EngineTask[] | null = null;
  return {
    name: "Waggle",
    url,
    killTask: async (slot) => {
      const tasks = lastKnown ?? (await running(mesh));
      const pid = tasks.find((task) => task.Slot === slot)?.Status.ContainerStatus?.PID;
      if (pid === undefined) throw new Error(`${service}.${slot} does not run`);
      process.kill(pid, "SIGKILL");
    },
    freezeNode: async (node) => {
      const pids = [mesh.agentPid(`node${node}`), ...(await pidsOn(mesh, node))];
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      return () => {
        for (const pid of pids) process.kill(pid, "SIGCONT");
      };
    },
    scale: (tasks) => updateService(mesh, (spec) => ({ ...spec, Mode: { Replicated: { Replicas: tasks } } })),
    drain: (node) => drain(mesh, node),
    roll: () => roll(mesh),
    killAgent: async (node) => void process.kill(mesh.agentPid(`node${node}`), "SIGKILL"),
    killRegistry: async () => {
      // What would start it anew is held still meanwhile.
      const starter = mesh.runtimePid();
      const pids = mesh.workerdPids();
      lastKnown = await running(mesh);
      process.kill(starter, "SIGSTOP");
      for (const pid of pids) process.kill(pid, "SIGKILL");
      return () => {
        process.kill(starter, "SIGCONT");
        lastKnown = null;
      };
    },
    stop: async () => {
      const left = setTimeout(() => mesh.signal("SIGKILL"), 30_000);
      await mesh.stop();
      clearTimeout(left);
      for (const pid of mesh.allPids()) process.kill(pid, "SIGKILL");
    },
  };
}

async function waggle(mesh: MeshProcess, ...args: string[]): Promise<void> {
  const { code, err } = await mesh.waggle(...args);
  if (code !== 0) throw new Error(`waggle ${args.join(" ")}: ${err}`);
}

// Orders are given to the control API itself: a command's process would take a good part of this machine's time while
// it starts, which HAProxy's side has no need of.

async function drain(mesh: MeshProcess, number: number): Promise<void> {
  const nodes = await mesh.get<EngineNode[]>("/nodes");
  const node = nodes.find((one) => one.Description.Hostname === `node${number}`);
  if (node === undefined) throw new Error(`there is no node${number}`);
  const path = `/nodes/${node.ID}/update?version=${node.Version.Index}`;
  await post(mesh, path, { ...node.Spec, Availability: "drain" });
}

/** Replaces every task as the service's update policy says, and waits for the end of that. */
async function roll(mesh: MeshProcess): Promise<void> {
  await updateService(mesh, ({ TaskTemplate, ...spec }) => ({
    ...spec,
    TaskTemplate: { ...TaskTemplate, ForceUpdate: (TaskTemplate.ForceUpdate ?? 0) + 1 },
  }));
  const state = async () => (await theService(mesh)).UpdateStatus?.State;
  await until("the update to end", async () => (await state()) === "completed", {
    withinMs: 60_000,
    everyMs: 250,
  });
}

async function updateService(
  mesh: MeshProcess,
  change: (spec: EngineService["Spec"]) => object,
): Promise<void> {
  const { ID, Version, Spec } = await theService(mesh);
  await post(mesh, `/services/${ID}/update?version=${Version.Index}`, change(Spec));
}

function theService(mesh: MeshProcess): Promise<EngineService> {
  return mesh.get<EngineService>(`/services/${service}`);
}

async function post(mesh: MeshProcess, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${mesh.token}`, "content-type": "application/json" };
  const answer = await fetch(mesh.control + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
}

async function running(mesh: MeshProcess): Promise<readonly EngineTask[]> {
  const tasks = await mesh.get<EngineTask[]>("/tasks");
  return tasks.filter((task) => task.DesiredState === "running" && task.Status.State === "running");
}

async function pidsOn(mesh: MeshProcess, node: number): Promise<readonly number[]> {
  const nodes = await mesh.get<EngineNode[]>("/nodes");
  const id = nodes.find((one) => one.Description.Hostname === `node${node}`)?.ID;
  const tasks = (await running(mesh)).filter((task) => task.NodeID === id);
  return tasks.flatMap((task) => task.Status.ContainerStatus?.PID ?? []);
}
