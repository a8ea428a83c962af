// `waggle up`: starts a mesh on this machine, shows it come up, says what to try, and stops it in order.

import { wait } from "../agent/wait.ts";
import { createClient, filterQuery, type MeshClient } from "../cli/client.ts";
import { defaultStateDir } from "../cli/context.ts";
import { signInUrl } from "../cli/dashboard.ts";
import type { EngineNode, EngineService, EngineTask } from "../cli/engine.ts";
import { isComplete, progressLines, type ServiceProgress, serviceProgress } from "../cli/progress.ts";
import { createProgressWriter, type ProgressWriter } from "../cli/progress-writer.ts";
import { type LocalMesh, type MeshOptions, startMesh } from "./mesh.ts";
import { nextSteps, restartSummary } from "./next-steps.ts";

type UpOptions = Omit<MeshOptions, "log" | "nodes"> & {
  readonly nodes: number;
  /** Without the first service. */
  readonly empty: boolean;
  readonly out: NodeJS.WriteStream;
};

/** How long the start waits for nodes, or one service, before it says what is missing and goes on, milliseconds. */
const convergeTimeoutMs = 60_000;
const convergePollMs = 100;

const firstService = {
  Name: "my-web",
  Labels: {},
  TaskTemplate: { ContainerSpec: { Image: "waggle/whoami:latest" } },
  Mode: { Replicated: { Replicas: 2 } },
  EndpointSpec: {
    Mode: "vip",
    Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" }],
  },
};

/**
 * Runs a mesh until it is asked to stop.
 *
 * @returns the exit code: 0 after an orderly stop, 1 when it could not start (the reason is printed)
 */
export async function up(options: UpOptions): Promise<number> {
  const say = (line = ""): void => void options.out.write(`${line}\n`);
  const news = bufferLines(say);
  const stopAsked = waitForStopSignal();
  let mesh: LocalMesh;
  try {
    say(`Starting a mesh of ${options.nodes} nodes on this machine; its state is in ${options.stateDir}`);
    mesh = await startMesh({ ...options, log: news.say });
  } catch (error) {
    process.stderr.write(`waggle up: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  const converging = waitUntilUp(mesh, options, say, stopAsked.signal)
    .catch((error: Error) => say(`waggle up: ${error.message}`))
    .finally(news.release);
  await stopAsked.promise;
  await converging;
  say("Stopping: published ports, tasks and agents, then the registry");
  await mesh.stop();
  say("Stopped. Start again with the same state folder and the services are as they were.");
  return 0;
}

async function waitUntilUp(
  mesh: LocalMesh,
  options: UpOptions,
  say: (line?: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const client = createClient({ url: mesh.control, token: mesh.token, source: "waggle up" });
  await waitForNodes(client, options.nodes, createProgressWriter(options.out), stop);
  if (mesh.isNew && !options.empty && options.nodes > 0) await client.post("/services/create", firstService);
  for (const service of await client.get<EngineService[]>("/services")) {
    if (stop.aborted) return;
    // Scaled to none, or of static servers alone: there is nothing to wait for.
    if (service.Spec.Mode?.Replicated?.Replicas === 0) continue;
    await waitForService(client, service, createProgressWriter(options.out), stop);
  }
  if (stop.aborted) return;
  await pollUntil(stop, () => mesh.listeners().every((one) => one.openPort !== null || one.isRefused));
  const stateFlag = options.stateDir === defaultStateDir ? "" : ` --state ${options.stateDir}`;
  const dashboard = await signInUrl(client, mesh.control);
  const known = { ...mesh, stateFlag, dashboard, listeners: mesh.listeners() };
  for (const line of mesh.isNew ? ["", ...nextSteps(known)] : restartSummary(known)) say(line);
}

async function waitForNodes(
  client: MeshClient,
  wanted: number,
  writer: ProgressWriter,
  stop: AbortSignal,
): Promise<void> {
  const done = await pollUntil(stop, async () => {
    const nodes = await client.get<EngineNode[]>("/nodes");
    const ready = nodes.filter((node) => node.Status?.State === "ready");
    writer.show([`nodes: ${ready.length} out of ${wanted} ready`]);
    return ready.length >= wanted;
  });
  if (!done && !stop.aborted)
    writer.show([`not all of the ${wanted} nodes are ready yet; "waggle status" says why`]);
}

async function waitForService(
  client: MeshClient,
  service: EngineService,
  writer: ProgressWriter,
  stop: AbortSignal,
): Promise<void> {
  const name = service.Spec.Name;
  const done = await pollUntil(stop, async () => {
    const progress = await readProgress(client, service);
    const lines = progressLines({ ...progress, title: name }, writer.columns);
    // Where lines cannot be painted over, what each task is up to would be all that is seen of a start.
    writer.show(writer.columns === null ? lines.slice(0, 1) : lines);
    return isComplete(progress);
  });
  if (!done && !stop.aborted)
    writer.show([`${name}: not all of its tasks run yet; "waggle status" says why`]);
}

async function readProgress(client: MeshClient, service: EngineService): Promise<ServiceProgress> {
  const [tasks, nodes] = await Promise.all([
    client.get<EngineTask[]>("/tasks", filterQuery({ service: [service.ID], "_up-to-date": ["true"] })),
    client.get<EngineNode[]>("/nodes"),
  ]);
  return serviceProgress(service, tasks, nodes);
}

/** Waits until `holds`, the mesh is asked to stop, or patience ends; true when it holds. */
async function pollUntil(stop: AbortSignal, holds: () => Promise<boolean> | boolean): Promise<boolean> {
  const deadlineMs = Date.now() + convergeTimeoutMs;
  while (!stop.aborted && Date.now() < deadlineMs) {
    if (await holds()) return true;
    await wait(convergePollMs, stop);
  }
  return false;
}

/** Keeps lines until they are released, and lets later ones pass: in the midst of progress they would be painted over. */
function bufferLines(say: (line: string) => void): { say: (line: string) => void; release: () => void } {
  let held: string[] | null = [];
  return {
    say: (line) => void (held === null ? say(line) : held.push(line)),
    release: () => {
      for (const line of held ?? []) say(line);
      held = null;
    },
  };
}

/** The first SIGINT, SIGTERM or SIGHUP (its terminal was closed). Later ones change nothing: the stop is bounded. */
function waitForStopSignal(): { promise: Promise<void>; signal: AbortSignal } {
  const controller = new AbortController();
  const promise = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        controller.abort();
        resolve();
      });
    }
  });
  return { promise, signal: controller.signal };
}
