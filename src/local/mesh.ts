// A whole mesh on one machine: the Workers runtime, agents as real processes, and a listener for each published port.
// Starts them in the order they need each other and stops them in the reverse one.

import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RoutingTable } from "../domain/table/table.ts";
import { type AddressPlan, bindError, nodeAddress, planAddresses } from "./addresses.ts";
import type { AgentInput } from "./agent-child.ts";
import { type MeshChild, startChild } from "./child.ts";
import { followTable, type TableFollower } from "./follow-table.ts";
import { Listener } from "./listener.ts";
import { controlProfile } from "./listener-profile.ts";
import { awaitEarlierChildren, stopOrphanedTasks, writeChildren } from "./orphans.ts";
import { type DesiredListener, desiredListeners, PublishedPorts } from "./published-ports.ts";
import type { RuntimeInput, RuntimeReady } from "./runtime.ts";
import { type MeshSecrets, readSecrets, writeClosedPorts, writeContext } from "./secrets.ts";
import { lockStateFolder, type ReleaseLock } from "./state-folder-lock.ts";

export type MeshOptions = {
  readonly nodes: number;
  readonly stateDir: string;
  /** Address of the control API and of the balancer. */
  readonly listen: string;
  readonly controlPort: number;
  /** The balancer's port for the default service. */
  readonly edgePort: number;
  readonly images?: string;
  /** The control API with the registry, and the data plane, as two processes. */
  readonly split?: boolean;
  /** Takes one line for each thing that happens after the start. */
  readonly log: (line: string) => void;
};

/** A running mesh. */
export type LocalMesh = {
  /** Origin of the control API. */
  readonly control: string;
  readonly token: string;
  readonly plan: AddressPlan;
  /** True when this state folder had no mesh before. */
  readonly isNew: boolean;
  /** Listeners as last wanted, with the port each really has (null: not open), and whether it was tried in vain. */
  readonly listeners: () => readonly (DesiredListener & {
    readonly openPort: number | null;
    readonly isRefused: boolean;
  })[];
  /** Stops everything in order; resolves when no process of the mesh is left. */
  readonly stop: () => Promise<void>;
};

/** How long agents get to stop their tasks, milliseconds; longer than Docker's stop grace period of 10 s. */
const childStopTimeoutMs = 15_000;

/** How long answers of the control API that are under way may take at the end, milliseconds. */
const controlGraceMs = 500;

/**
 * Starts the mesh of `stateDir`, with as many agents as asked for.
 *
 * @throws StateFolderBusy when a running mesh has the folder; Error saying which port is taken, or why a part did not start
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

async function startParts(options: MeshOptions, release: ReleaseLock): Promise<LocalMesh> {
  const { secrets, isNew } = readSecrets(options.stateDir);
  const logDir = privateFolder(options.stateDir, "log");
  privateFolder(options.stateDir, "registry");
  await stopOrphanedTasks(options.stateDir, nodeNames(options.nodes));
  const plan = await planAddresses();
  const control = `http://${options.listen}:${options.controlPort}`;
  const started = await startRuntimes(options, secrets, logDir);
  const { runtimes, entryPort } = started;
  const controlListener = await openControl(options, started);
  const agents = await startAgents(options, plan, control, secrets.token, logDir).catch((error) => {
    endRuntimes(started);
    void controlListener.close(0);
    throw error;
  });
  writeChildren(
    options.stateDir,
    [...runtimes, ...agents].flatMap((child) => child.process.pid ?? []),
  );
  const ports = new PublishedPorts(
    { host: "127.0.0.1", port: entryPort },
    secrets.entryKey,
    options.log,
    (closed) => writeClosedPorts(options.stateDir, closed),
  );
  let wanted: readonly DesiredListener[] = [];
  const balancer = { address: options.listen, defaultPort: options.edgePort };
  const open = (table: RoutingTable): Promise<void> => {
    wanted = desiredListeners(table, plan, balancer);
    return ports.apply(wanted);
  };
  writeClosedPorts(options.stateDir, []);
  const follower = followTable(control, secrets.token, open);
  writeContext(options.stateDir, control, secrets.token);
  const parts: MeshParts = {
    ports,
    controlListener,
    follower,
    agents,
    runtimes,
    release,
    stateDir: options.stateDir,
    isStopping: false,
  };
  watchAgents(parts, options.log);
  return {
    control,
    token: secrets.token,
    plan,
    isNew,
    listeners: () =>
      wanted.map((one) => ({ ...one, openPort: ports.portOf(one.key), isRefused: ports.hasFailed(one.key) })),
    stop: () => stopParts(parts),
  };
}

/** A folder that only its owner can enter, also where the state folder was there before and lets others in. */
function privateFolder(stateDir: string, name: string): string {
  const folder = join(stateDir, name);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  return folder;
}

async function requireFreePort(address: string, port: number, what: string, flag: string): Promise<void> {
  const code = await bindError(address, port);
  if (code === null) return;
  const why = code === "EADDRINUSE" ? "something else listens there" : code;
  throw new Error(
    `cannot open ${address}:${port} for ${what}: ${why}; stop that, or give another port with ${flag} N`,
  );
}

type Runtimes = RuntimeReady & {
  /** In the order they are stopped: who has the registry last. */
  readonly runtimes: readonly MeshChild<RuntimeReady>[];
};

async function startRuntimes(options: MeshOptions, secrets: MeshSecrets, logDir: string): Promise<Runtimes> {
  const { stateDir, edgePort: balancerPort, split = false } = options;
  const start = (part: RuntimeInput["part"], name: string): Promise<MeshChild<RuntimeReady>> => {
    const input: RuntimeInput = { part, stateDir, balancerPort, secrets };
    return startChild<RuntimeReady>(
      "./runtime.ts",
      `${stateDir}:${name}`,
      input,
      join(logDir, `${name}.log`),
    );
  };
  const runtime = await start(split ? "control" : "whole", "runtime");
  if (!split) return { runtimes: [runtime], ...runtime.ready };
  try {
    const traffic = await start("traffic", "traffic");
    const { controlPort } = runtime.ready;
    return { runtimes: [traffic, runtime], controlPort, entryPort: traffic.ready.entryPort };
  } catch (error) {
    runtime.process.kill("SIGTERM");
    throw error;
  }
}

/** Opens the control API's port, which may have been taken since it was looked at: then the runtimes end as well. */
async function openControl({ listen, controlPort }: MeshOptions, started: Runtimes): Promise<Listener> {
  const upstream = { host: "127.0.0.1", port: started.controlPort };
  try {
    return await Listener.open(listen, controlPort, controlProfile, upstream);
  } catch (error) {
    endRuntimes(started);
    throw error;
  }
}

function endRuntimes({ runtimes }: Runtimes): void {
  for (const runtime of runtimes) runtime.process.kill("SIGTERM");
}

/** Starts an agent for each node; when one cannot start, the others are stopped again. */
async function startAgents(
  options: MeshOptions,
  plan: AddressPlan,
  control: string,
  token: string,
  logDir: string,
): Promise<readonly LocalAgent[]> {
  const joinToken = await fetchJoinToken(control, token);
  const starts = nodeNames(options.nodes).map(async (name, index): Promise<LocalAgent> => {
    const stateDir = join(options.stateDir, "nodes", name);
    const address = nodeAddress(plan, index + 1);
    const images = options.images === undefined ? {} : { images: resolve(options.images) };
    const input: AgentInput = {
      url: control,
      token: joinToken,
      stateDir,
      hostname: name,
      address,
      ...images,
    };
    const logFile = join(logDir, `${name}.log`);
    const child = await startChild<null>("./agent-child.ts", `${options.stateDir}:${name}`, input, logFile);
    return { ...child, name, logFile, input };
  });
  const settled = await Promise.allSettled(starts);
  const failed = settled.find((one) => one.status === "rejected");
  const agents = settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  if (failed === undefined) return agents;
  for (const agent of agents) agent.process.kill("SIGINT");
  throw failed.reason;
}

/** Says when an agent ends that nobody asked to: its node is down after three missed beats. */
function watchAgents(parts: MeshParts, log: (line: string) => void): void {
  for (const { name, logFile, exited, input } of parts.agents) {
    const restart = `bin/waggle agent ${input.url} --name ${name} --address ${input.address} --state ${input.stateDir}`;
    void exited.then((how) => {
      if (!parts.isStopping)
        log(`${name}: its agent ended (${how}), see ${logFile}; to bring it back: ${restart}`);
    });
  }
}

function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `node${index + 1}`);
}

async function fetchJoinToken(control: string, token: string): Promise<string> {
  const response = await fetch(`${control}/swarm`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok)
    throw new Error(`GET ${control}/swarm answered ${response.status}: ${await response.text()}`);
  const { JoinTokens } = (await response.json()) as { JoinTokens: { Worker: string } };
  return JoinTokens.Worker;
}

type LocalAgent = MeshChild<null> & {
  readonly name: string;
  readonly logFile: string;
  readonly input: AgentInput;
};

type MeshParts = {
  readonly ports: PublishedPorts;
  readonly controlListener: Listener;
  readonly follower: TableFollower;
  readonly agents: readonly LocalAgent[];
  readonly runtimes: Runtimes["runtimes"];
  readonly release: ReleaseLock;
  readonly stateDir: string;
  isStopping: boolean;
};

/** Clients first, then what serves them, then what knows about it. */
async function stopParts(parts: MeshParts): Promise<void> {
  parts.isStopping = true;
  parts.follower.stop();
  await parts.ports.close();
  // SIGINT: stop now. With SIGTERM each would wait for its tasks to be replaced on nodes that are stopping as well.
  await Promise.all(parts.agents.map((agent) => stopChild(agent, "SIGINT")));
  await stopOrphanedTasks(parts.stateDir);
  await parts.controlListener.close(controlGraceMs);
  for (const runtime of parts.runtimes) await stopChild(runtime, "SIGTERM");
  parts.release();
}

async function stopChild(child: MeshChild<unknown>, signal: "SIGINT" | "SIGTERM"): Promise<void> {
  child.process.kill(signal);
  const patience = setTimeout(() => child.process.kill("SIGKILL"), childStopTimeoutMs);
  await child.exited;
  clearTimeout(patience);
}
