// `waggle up`: starts a mesh on this machine, shows its progress, prints what to try, and stops it in order.

import { wait } from "../agent/wait.ts";
import { createClient, type MeshClient } from "../cli/client.ts";
import { signInUrl } from "../cli/dashboard.ts";
import type { EngineService } from "../cli/engine.ts";
import { defaultStateDir } from "../cli/mesh-target.ts";
import { printableSink } from "../cli/output.ts";
import { isComplete, progressLines } from "../cli/progress.ts";
import { createProgressWriter, type ProgressWriter } from "../cli/progress-writer.ts";
import { readProgress } from "../cli/service/wait-on-service.ts";
import { engineChange, engineNode, engineService, engineSwarm, listOf } from "../cli/shapes.ts";
import { printable, printableLines } from "../domain/model/printable.ts";
import { commandLine } from "../package/program-files.ts";
import { dropFailedWrites } from "./child-log.ts";
import { registerContext } from "./local-context.ts";
import { type LocalMesh, type MeshOptions, startMesh } from "./mesh.ts";
import { joinCommand, nextSteps, restartSummary, shellWord } from "./next-steps.ts";
import { reportLines, rulesText } from "./platform-text.ts";

type UpOptions = Omit<MeshOptions, "log"> & {
  /** Creates no service in a new mesh. */
  readonly empty: boolean;
  /** Says where this user's contexts are. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: NodeJS.WriteStream;
};

/** How long the start waits for nodes, tasks and ports altogether, before it reports them as not ready. */
const convergeTimeoutMs = 30_000;
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
 * Runs a mesh until a stop signal.
 *
 * @returns the exit code: 0 after an orderly stop, 1 if the start failed or the mesh could not continue (the
 *   reason is printed)
 */
export async function up(options: UpOptions): Promise<number> {
  // The output may be a file, and its disk may fill up.
  dropFailedWrites();
  const out = printableSink(options.out);
  const print = (line = ""): void => void out.write(`${printable(line)}\n`);
  const bufferedLog = bufferLines(print);
  const stopSignal = waitForStopSignal();
  let mesh: LocalMesh;
  try {
    print(`Starting a mesh of ${options.nodes} nodes on this machine; its state is in ${options.stateDir}`);
    if (options.platform !== undefined) print(rulesText(options.platform));
    mesh = await startMesh({ ...options, log: bufferedLog.print });
  } catch (error) {
    process.stderr.write(
      printableLines(`waggle up: ${error instanceof Error ? error.message : String(error)}\n`),
    );
    return 1;
  }
  const converging = waitUntilUp(mesh, options, print, stopSignal.signal)
    .catch((error: Error) => print(`waggle up: ${error.message}`))
    .finally(bufferedLog.flush);
  const end = await Promise.race([stopSignal.promise, mesh.lost]);
  if (end !== null) {
    stopSignal.abort();
    process.stderr.write(`waggle up: ${end}\n`);
  }
  await converging;
  print("Stopping: published ports and the registry, then agents and tasks");
  await mesh.stop();
  const report = mesh.platformReport();
  if (report !== null) for (const line of reportLines(report)) print(line);
  print(end === null ? "Stopped. The next start with this state folder restores the services." : "Stopped.");
  return end === null ? 0 : 1;
}

async function waitUntilUp(
  mesh: LocalMesh,
  options: UpOptions,
  print: (line?: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const client = createClient({ url: mesh.control, token: mesh.token, source: "waggle up" });
  const dashboard = await signInUrl(client, mesh.control);
  // Before anything that a service could delay.
  print(`Dashboard: ${dashboard}`);
  print(`Control API: ${mesh.control}   token: ${mesh.token}`);
  await registerContext(options, mesh.control, print);
  const waiting = { stop, deadlineMs: Date.now() + convergeTimeoutMs };
  await waitForNodes(client, options.nodes, createProgressWriter(options.out), waiting);
  if (mesh.origin.kind === "new" && !options.empty && options.nodes > 0)
    await client.post("/services/create", firstService, engineChange);
  for (const service of await client.get("/services", listOf(engineService))) {
    if (stop.aborted) return;
    // Scaled to 0, or static servers only: the service has no tasks to wait for.
    if (service.Spec.Mode?.Replicated?.Replicas === 0) continue;
    await waitForService(client, service, createProgressWriter(options.out), waiting);
  }
  if (stop.aborted) return;
  await pollUntil(waiting, () =>
    mesh.listeners().every(({ openPort, isRefused }) => openPort !== null || isRefused),
  );
  const program = commandLine(process.env);
  const stateFlag = options.stateDir === defaultStateDir ? "" : ` --state ${shellWord(options.stateDir)}`;
  const { JoinTokens } = await client.get("/swarm", engineSwarm);
  const summary = {
    ...mesh,
    command: program + stateFlag,
    joinCommand: joinCommand({ ...options, ...mesh, program, joinToken: JoinTokens.Worker }),
    dashboard,
    listeners: mesh.listeners(),
  };
  const lines =
    mesh.origin.kind === "new" ? ["", ...nextSteps(summary)] : restartSummary(summary, mesh.origin);
  for (const line of lines) print(line);
}

/** How long the start waits. */
type Waiting = { readonly stop: AbortSignal; readonly deadlineMs: number };

async function waitForNodes(
  client: MeshClient,
  count: number,
  writer: ProgressWriter,
  waiting: Waiting,
): Promise<void> {
  const done = await pollUntil(waiting, async () => {
    const nodes = await client.get("/nodes", listOf(engineNode));
    const ready = nodes.filter(
      (node) => node.Status?.State === "ready" && node.ManagerStatus?.Leader !== true,
    );
    writer.show([`nodes: ${ready.length} out of ${count} ready`]);
    return ready.length >= count;
  });
  if (!done && !waiting.stop.aborted)
    writer.show([`not all of the ${count} nodes are ready yet; "waggle status" shows the reason`]);
}

async function waitForService(
  client: MeshClient,
  service: EngineService,
  writer: ProgressWriter,
  waiting: Waiting,
): Promise<void> {
  const name = service.Spec.Name;
  const done = await pollUntil(waiting, async () => {
    const progress = await readProgress(client, service);
    const lines = progressLines({ ...progress, title: name }, writer.columns);
    // Without a terminal, lines cannot be overwritten, and those of the single tasks would be too many.
    writer.show(writer.columns === null ? lines.slice(0, 1) : lines);
    return isComplete(progress);
  });
  if (!done && !waiting.stop.aborted)
    writer.show([`${name}: not all of its tasks run yet; "waggle status" shows the reason`]);
}

/** Polls, at least once, until the condition holds (true), or until a stop or the deadline (false). */
async function pollUntil(
  { stop, deadlineMs }: Waiting,
  condition: () => Promise<boolean> | boolean,
): Promise<boolean> {
  while (!stop.aborted) {
    if (await condition()) return true;
    if (Date.now() >= deadlineMs) return false;
    await wait(convergePollMs, stop);
  }
  return false;
}

/** Buffers lines until `flush`, then prints directly: the progress display would overwrite them meanwhile. */
function bufferLines(print: (line: string) => void): { print: (line: string) => void; flush: () => void } {
  let buffer: string[] | null = [];
  return {
    print: (line) => void (buffer === null ? print(line) : buffer.push(line)),
    flush: () => {
      for (const line of buffer ?? []) print(line);
      buffer = null;
    },
  };
}

/** Waits for SIGINT, SIGTERM or SIGHUP (the terminal was closed). Later signals have no effect. */
export function waitForStopSignal(): StopSignal {
  const controller = new AbortController();
  const promise = new Promise<null>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        controller.abort();
        resolve(null);
      });
    }
  });
  return { promise, signal: controller.signal, abort: () => controller.abort() };
}

type StopSignal = {
  /** Resolves at the first signal. */
  readonly promise: Promise<null>;
  /** Aborts at the first signal, or by `abort`. */
  readonly signal: AbortSignal;
  readonly abort: () => void;
};
