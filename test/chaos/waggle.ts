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
type EngineNode = { readonly ID: string; readonly Description: { readonly Hostname: string } };

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
    scale: (tasks) => waggle(mesh, "service", "scale", "--detach", `${service}=${tasks}`),
    drain: (node) => waggle(mesh, "node", "update", "--availability", "drain", `node${node}`),
    roll: () => waggle(mesh, "service", "update", "--force", "--quiet", service),
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
