// Starts a whole mesh on one machine: Workers runtime, agents, published ports. Stops them in reverse order.

import { resolve } from "node:path";
import type { RoutingTable } from "../domain/table/table.ts";
import { type AddressPlan, bindError, planAddresses } from "./addresses.ts";
import { type LocalAgent, nodeNames, restartCommand, startAgents } from "./agents.ts";
import type { MeshChild } from "./child.ts";
import { followTable, type TableFollower } from "./follow-table.ts";
import { Listener } from "./listener.ts";
import { controlIdentity, listenerProfile } from "./listener-profile.ts";
import { awaitEarlierChildren, stopOrphanedTasks, writeChildren } from "./orphans.ts";
import { type DesiredListener, desiredListeners, PublishedPorts } from "./published-ports.ts";
import { RuntimeAgent } from "./runtime-agent.ts";
import { type Runtimes, startRuntimes, terminateRuntimes } from "./runtimes.ts";
import {
  lockStateFolder,
  type MeshSecrets,
  privateFolder,
  type ReleaseLock,
  readSecrets,
  writeClosedPorts,
  writeContext,
} from "./state-folder.ts";

export type MeshOptions = {
  readonly nodes: number;
  readonly stateDir: string;
  /** Address of the control API and of the edge. */
  readonly listen: string;
  readonly controlPort: number;
  /** The edge's port for the default service. */
  readonly edgePort: number;
  readonly images?: string;
  /** Runs the control API with the registry, and the data plane, as two processes. */
  readonly split?: boolean;
  /** Receives one line for each event after the start. */
  readonly log: (line: string) => void;
};

/** A running mesh. */
export type LocalMesh = {
  /** Origin of the control API. */
  readonly control: string;
  readonly token: string;
  readonly plan: AddressPlan;
  /** True if this state folder had no mesh before. */
  readonly isNew: boolean;
  /** The desired listeners, each with the port it has (null: not open) and whether opening it failed. */
  readonly listeners: () => readonly (DesiredListener & {
    readonly openPort: number | null;
    readonly isRefused: boolean;
  })[];
  /** Stops everything in order; resolves when no process of the mesh is left. */
  readonly stop: () => Promise<void>;
};

/** Time for agents to stop their tasks, milliseconds; longer than Docker's stop grace period of 10 s. */
const childStopTimeoutMs = 15_000;

/** Time for open responses of the control API to finish at the end, milliseconds. */
const controlGraceMs = 500;

/**
 * Starts the mesh of `stateDir`.
 *
 * @throws Error if another mesh holds the folder, a port is taken, or a part does not start
 */
export async function startMesh(options: MeshOptions): Promise<LocalMesh> {
  const stateDir = resolve(options.stateDir);
  const release = lockStateFolder(stateDir);
  try {
    await awaitEarlierChildren(stateDir);
    await requireFreePort(options.listen, options.controlPort, "the control API", "--port");
    await requireFreePort(options.listen, options.edgePort, "the balancer", "--edge-port");
    return await startParts({ ...options, stateDir }, release);
  } catch (error) {
    release();
    throw error;
  }
}

async function requireFreePort(address: string, port: number, purpose: string, flag: string): Promise<void> {
  const code = await bindError(address, port);
  if (code === null) return;
  const reason = code === "EADDRINUSE" ? "another process listens there; stop it, or" : `${code};`;
  throw new Error(
    `cannot open ${address}:${port} for ${purpose}: ${reason} choose another port with ${flag} N`,
  );
}

async function startParts(options: MeshOptions, releaseLock: ReleaseLock): Promise<LocalMesh> {
  const { stateDir, listen, controlPort, log } = options;
  const { secrets, isNew } = readSecrets(stateDir);
  await stopOrphanedTasks(stateDir, nodeNames(options.nodes));
  const plan = await planAddresses();
  const processes = await startProcesses(options, secrets, plan);
  const control = `http://${listen}:${controlPort}`;
  const publishing = publishPorts(options, secrets, plan, processes.runtimes.entryPort, control);
  writeContext(stateDir, control, secrets.token);
  const parts: MeshParts = { ...processes, ...publishing, releaseLock, stateDir, isStopping: false };
  watchAgents(parts, log);
  return {
    control,
    token: secrets.token,
    plan,
    isNew,
    listeners: publishing.listeners,
    stop: () => stopParts(parts),
  };
}

type MeshProcesses = {
  readonly runtimes: Runtimes;
  readonly controlListener: Listener;
  readonly agents: readonly LocalAgent[];
};

/**
 * Starts the child processes and opens the control API's port. If one fails, stops those that are running.
 */
async function startProcesses(
  { stateDir, listen, controlPort, ...options }: MeshOptions,
  secrets: MeshSecrets,
  plan: AddressPlan,
): Promise<MeshProcesses> {
  const logDir = privateFolder(stateDir, "log");
  privateFolder(stateDir, "registry");
  const runtimes = await startRuntimes({ ...options, stateDir, logDir }, secrets);
  let controlListener: Listener | null = null;
  try {
    const agent = new RuntimeAgent({ host: "127.0.0.1", port: runtimes.controlPort });
    const profile = listenerProfile(controlIdentity, secrets.entryKey);
    controlListener = await Listener.open(listen, controlPort, profile, agent);
    const control = `http://${listen}:${controlPort}`;
    const agents = await startAgents({ ...options, stateDir, logDir }, plan, control, secrets.token);
    const children = [...runtimes.children, ...agents];
    writeChildren(
      stateDir,
      children.flatMap((child) => child.process.pid ?? []),
    );
    return { runtimes, controlListener, agents };
  } catch (error) {
    terminateRuntimes(runtimes.children);
    void controlListener?.close(0);
    throw error;
  }
}

type PortPublishing = {
  readonly ports: PublishedPorts;
  readonly follower: TableFollower;
  readonly listeners: LocalMesh["listeners"];
};

/** Follows the routing table and keeps a listener open for each port it publishes. */
function publishPorts(
  { stateDir, listen, edgePort, log }: MeshOptions,
  secrets: MeshSecrets,
  plan: AddressPlan,
  entryPort: number,
  control: string,
): PortPublishing {
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: entryPort });
  const ports = new PublishedPorts(agent, secrets.entryKey, log, (closed) =>
    writeClosedPorts(stateDir, closed),
  );
  let desired: readonly DesiredListener[] = [];
  const balancer = { address: listen, defaultPort: edgePort };
  const onTable = (table: RoutingTable): Promise<void> => {
    desired = desiredListeners(table, plan, balancer);
    return ports.apply(desired);
  };
  writeClosedPorts(stateDir, []);
  const follower = followTable(control, secrets.token, onTable);
  const listeners = () =>
    desired.map((listener) => ({
      ...listener,
      openPort: ports.portOf(listener.key),
      isRefused: ports.hasFailed(listener.key),
    }));
  return { ports, follower, listeners };
}

/** Logs each agent that exits by itself. Its node goes down after three missed heartbeats. */
function watchAgents(parts: MeshParts, log: (line: string) => void): void {
  for (const agent of parts.agents) {
    void agent.exited.then((exit) => {
      if (parts.isStopping) return;
      log(
        `${agent.name}: its agent exited (${exit}), see ${agent.logFile}; to restart it: ${restartCommand(agent)}`,
      );
    });
  }
}

type MeshParts = MeshProcesses &
  Pick<PortPublishing, "ports" | "follower"> & {
    readonly releaseLock: ReleaseLock;
    readonly stateDir: string;
    isStopping: boolean;
  };

/** Stops the listeners, then the agents with their tasks, then the control API and the registry. */
async function stopParts(parts: MeshParts): Promise<void> {
  parts.isStopping = true;
  parts.follower.stop();
  await parts.ports.close();
  // SIGINT: stop now. On SIGTERM each agent would wait for replacements on nodes that are stopping as well.
  await Promise.all(parts.agents.map((agent) => stopChild(agent, "SIGINT")));
  await stopOrphanedTasks(parts.stateDir);
  await parts.controlListener.close(controlGraceMs);
  for (const runtime of parts.runtimes.children) await stopChild(runtime, "SIGTERM");
  parts.releaseLock();
}

async function stopChild(child: MeshChild<unknown>, signal: "SIGINT" | "SIGTERM"): Promise<void> {
  child.process.kill(signal);
  const killTimer = setTimeout(() => child.process.kill("SIGKILL"), childStopTimeoutMs);
  await child.exited;
  clearTimeout(killTimer);
}
