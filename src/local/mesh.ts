// Starts a whole mesh on one machine: Workers runtime, agents, published ports. Stops them in order.

import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { hostPort } from "../domain/model/server.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { descriptorLimit } from "../net/descriptor-limit.ts";
import { readLimits } from "../proxy/limits.ts";
import { TcpRouter } from "../proxy/tcp/tcp-router.ts";
import {
  type AddressPlan,
  advertisedHost,
  bindError,
  bindReason,
  confirmedAddresses,
  planAddresses,
} from "./addresses.ts";
import { type LocalAgent, type NodeJoinTokens, nodeNames, startAgents } from "./agents.ts";
import { closedPortsRecord } from "./closed-ports.ts";
import { DescriptorBudget, defaultMaxWaiting, exitDescriptors } from "./descriptor-budget.ts";
import { type DescriptorWatch, watchDescriptors } from "./descriptors.ts";
import { TargetDialer } from "./dial-target.ts";
import { fetchNodesWithIngress, followTable, type TableFollower } from "./follow-table.ts";
import { type InheritedSockets, socketKey } from "./kept-sockets.ts";
import { Listener } from "./listener.ts";
import { longestBodyTimeoutMs } from "./listener-limits.ts";
import { controlIdentity, listenerProfile } from "./listener-profile.ts";
import { openFailure } from "./listening-socket.ts";
import { LocalPlatform, type MeshPlatformReport, withTestAddresses } from "./local-platform.ts";
import { type MeshOrigin, readOrigin } from "./mesh-origin.ts";
import { type OperatorListen, type OperatorListener, openOperatorListener } from "./operator-listener.ts";
import { awaitEarlierChildren, ChildrenFile, stopOrphanedTasks } from "./orphans.ts";
import type { PlatformSettings } from "./platform/platform-settings.ts";
import { type DesiredListener, desiredListeners, PublishedPorts } from "./published-ports.ts";
import { RuntimeAgent, type Upstream } from "./runtime-agent.ts";
import { type Runtimes, startRuntimes } from "./runtimes.ts";
import { ServerExit } from "./server-exit.ts";
import type { StateFile } from "./state-file.ts";
import {
  databaseFolder,
  lockStateFolder,
  logFolder,
  type MeshSecrets,
  makePrivateFolder,
  readSecrets,
  type StateLock,
  writeMeshFile,
} from "./state-folder.ts";
import { type StateWatch, watchStateFolder } from "./state-watch.ts";
import { TableCopy } from "./table-copy.ts";
import { reportTcpTraffic } from "./tcp-reports.ts";
import { CertificateStore } from "./tls/certificate-store.ts";
import { type UsedCertificate, usedCertificatesRecord } from "./tls/used-certificates.ts";
import { workerdProgram } from "./workerd.ts";

export type MeshOptions = {
  readonly nodes: number;
  readonly stateDir: string;
  /** Address of the control API and of the edge. */
  readonly listen: string;
  readonly controlPort: number;
  /** The edge's port for the default service. */
  readonly edgePort: number;
  /** Where else the control API is reached. */
  readonly operatorListens?: readonly OperatorListen[];
  /** The control plane of a mesh whose ports are opened by other processes. Absent: this one opens them. */
  readonly controlPlane?: ControlPlane;
  readonly images?: string;
  readonly runtime: "process" | "docker";
  /** Runs the control API with the registry, and the data plane, as two processes. */
  readonly split?: boolean;
  /** Runs the mesh under the rules of Cloudflare's platform. Absent: without them. */
  readonly platform?: PlatformSettings;
  /** Variables of the data plane's Worker. */
  readonly variables: Readonly<Record<string, string>>;
  /** Receives one line for each event after the start. */
  readonly log: (line: string) => void;
};

/** A control plane for other machines. */
export type ControlPlane = {
  /** The control API with TLS, for agents and balancers too; null: this machine alone reaches it. */
  readonly secured: {
    readonly address: string;
    readonly port: number;
    readonly paths: readonly string[];
  } | null;
  /** Outlive this process. */
  readonly sockets: InheritedSockets;
};

/** A running mesh. */
export type LocalMesh = {
  /** Origin of the control API. */
  readonly control: string;
  readonly token: string;
  readonly plan: AddressPlan;
  readonly origin: MeshOrigin;
  /** The desired listeners, each with the port it has (null: not open) and whether opening it failed. */
  readonly listeners: () => readonly (DesiredListener & {
    readonly openPort: number | null;
    readonly isRefused: boolean;
  })[];
  /** Resolves with the reason when the mesh cannot continue and must be stopped. */
  readonly lost: Promise<string>;
  /** What a mesh under the platform's rules did so far; null without them. */
  readonly platformReport: () => MeshPlatformReport | null;
  /** Stops everything in order; resolves when no process of the mesh is left. */
  readonly stop: () => Promise<void>;
};

/** Time for open responses of the control API to finish when the whole mesh ends, milliseconds. */
const meshGraceMs = 500;
/** The same of a control plane, which another process follows. */
const controlPlaneGraceMs = 2_000;

/**
 * Starts the mesh of `stateDir`.
 *
 * @throws Error if another mesh holds the folder, a port is taken, or a part does not start
 */
export async function startMesh(options: MeshOptions): Promise<LocalMesh> {
  // An invalid variable would make the Worker refuse every request.
  readLimits(options.variables);
  const stateDir = resolve(options.stateDir);
  const lock = lockStateFolder(stateDir);
  try {
    await awaitEarlierChildren(stateDir);
    if (options.controlPlane === undefined) {
      await requireFreePort(options.listen, options.controlPort, "the control API", "--port");
      await requireFreePort(options.listen, options.edgePort, "the balancer", "--edge-port");
    }
    return await startWithExit({ ...options, stateDir }, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Checks what a control plane needs besides its database, which another process may have open.
 *
 * @param used the certificates that the process before this one has in use
 * @throws Error if a variable is invalid, no certificate or not each that is in use can be used, or workerd is missing
 */
export function requireStartable(
  { secured }: Pick<ControlPlane, "secured">,
  variables: MeshOptions["variables"],
  used: readonly UsedCertificate[],
): void {
  readLimits(variables);
  workerdProgram();
  if (secured === null) return;
  const certificates = new CertificateStore(secured.paths, () => undefined);
  certificates.close();
  const problem = certificates.problem ?? certificates.lossOf(used);
  if (problem !== null) throw new Error(problem);
}

async function requireFreePort(address: string, port: number, purpose: string, flag: string): Promise<void> {
  const code = await bindError(address, port);
  if (code === null) return;
  throw new Error(
    `cannot open ${hostPort(address, port)} for ${purpose}: ${bindReason(code, address, flag)}`,
  );
}

/** The options of a mesh, with what its parts share. */
type PartsOptions = Omit<MeshOptions, "platform"> & {
  /** Of all listeners. */
  readonly budget: DescriptorBudget;
  readonly exit: ServerExit;
  /** Null for a mesh without the platform's rules. */
  readonly platform: LocalPlatform | null;
  /** Called with each workerd that starts. */
  readonly onWorkerd: (pid: number) => void;
};

async function startWithExit(options: MeshOptions, lock: StateLock): Promise<LocalMesh> {
  const exit = await ServerExit.open(exitDescriptors(descriptorLimit()), options.log);
  let platform: LocalPlatform | null = null;
  try {
    const plan = await planAddresses();
    if (options.platform !== undefined) platform = await LocalPlatform.open(options.platform, options, plan);
    return await startParts(options, { exit, platform, plan }, lock);
  } catch (error) {
    await platform?.close();
    await exit.close();
    throw error;
  }
}

type OpenParts = {
  readonly exit: ServerExit;
  readonly platform: LocalPlatform | null;
  readonly plan: AddressPlan;
};

async function startParts(
  meshOptions: MeshOptions,
  { exit, platform, plan }: OpenParts,
  lock: StateLock,
): Promise<LocalMesh> {
  const maxDescriptors = descriptorLimit();
  const exitLimit = exitDescriptors(maxDescriptors);
  const budget = new DescriptorBudget(maxDescriptors, defaultMaxWaiting, exitLimit);
  let tableCopy: TableCopy | null = null;
  const onWorkerd = (pid: number): void => {
    budget.runtime.watch(pid);
    tableCopy?.send();
  };
  const options: PartsOptions = { ...meshOptions, budget, exit, platform, onWorkerd };
  const { stateDir, listen, controlPort, log } = options;
  const origin = readOrigin(stateDir);
  const secrets = readSecrets(stateDir);
  await stopOrphanedTasks(stateDir, nodeNames(options.nodes));
  const control = `http://${hostPort(listen, controlPort)}`;
  const processes = await startProcesses(options, secrets, plan, control);
  const { id } = processes;
  const publishing = publishPorts(options, secrets, plan, processes.runtimes.entry, control);
  tableCopy = publishing.tableCopy;
  const lost = Promise.withResolvers<string>();
  const { isHeld: isLocked } = lock;
  const watches = [
    watchStateFolder({ stateDir, isLocked, onLost: lost.resolve, log }),
    watchDescriptors(maxDescriptors, log),
  ];
  const isControlPlane = options.controlPlane !== undefined;
  const shared = { exit, platform, watches, lock, stateDir, isControlPlane };
  const parts: MeshParts = { ...processes, ...publishing, ...shared };
  try {
    writeMeshFile(stateDir, { control, token: secrets.token, id });
  } catch (error) {
    await stopParts(parts);
    throw error;
  }
  return {
    control,
    token: secrets.token,
    plan,
    origin: origin(id),
    lost: lost.promise,
    listeners: publishing.listeners,
    platformReport: () => platform?.report ?? null,
    stop: () => stopParts(parts),
  };
}

type MeshProcesses = {
  readonly runtimes: Runtimes;
  readonly controlListeners: readonly Listener[];
  readonly operatorListeners: readonly OperatorListener[];
  readonly agents: readonly LocalAgent[];
  readonly children: ChildrenFile;
  /** Id of the mesh in the registry's database. */
  readonly id: string;
};

/**
 * Starts the child processes and opens the control API's port. If one fails, stops those that are running.
 */
async function startProcesses(
  { budget, exit, onWorkerd, platform, ...options }: PartsOptions,
  secrets: MeshSecrets,
  plan: AddressPlan,
  control: string,
): Promise<MeshProcesses> {
  const { stateDir, listen, controlPort, log } = options;
  const places = controlPlaces(options);
  const logDir = logFolder(stateDir);
  makePrivateFolder(logDir);
  makePrivateFolder(databaseFolder(stateDir));
  const children = new ChildrenFile(stateDir, log);
  const context = { log, onProcess: (pid: number, parent: number | null) => children.add(pid, parent) };
  let runtimes: Runtimes | null = null;
  const controlListeners: Listener[] = [];
  const operatorListeners: OperatorListener[] = [];
  try {
    const nodeAddresses = platform?.nodeAddresses ?? confirmedAddresses(plan, options.nodes, listen);
    const onRuntimeProcess = (pid: number, parent: number | null): void => {
      context.onProcess(pid, parent);
      // Its parent is the program that starts it.
      if (parent !== null) onWorkerd(pid);
    };
    const runtimeContext = { ...context, onProcess: onRuntimeProcess };
    runtimes = await startRuntimes(
      {
        ...options,
        // Under the platform's rules static servers are reached by `fetch` alone.
        exitAccess: platform === null ? exit.access : null,
        platform: platform?.input ?? null,
        onPlatformReport: (report) => platform?.take(report),
        logDir,
        nodeAddresses,
      },
      secrets,
      runtimeContext,
    );
    const agent = new RuntimeAgent(runtimes.control);
    const { sockets } = options.controlPlane ?? {};
    for (const place of places)
      controlListeners.push(await openControlListener(place, { agent, sockets, secrets, budget, log }));
    const upstream = {
      agent,
      entryKey: secrets.entryKey,
      operatorToken: secrets.token,
      control: { host: advertisedHost(listen), port: controlPort },
      log,
    };
    for (const place of options.operatorListens ?? [])
      operatorListeners.push(await openOperatorListener(place, upstream));
    const { id, tokens } = await fetchSwarm(control, secrets.token);
    const join = { url: control, tokens };
    const gatewayTls = platform?.gatewayTls ?? null;
    const agents = await startAgents({ ...options, gatewayTls, logDir }, plan, join, context);
    return { runtimes, controlListeners, operatorListeners, agents, children, id };
  } catch (error) {
    children.close();
    for (const listener of controlListeners) void listener.close(0);
    for (const listener of operatorListeners) void listener.close();
    for (const runtime of runtimes?.children ?? []) await runtime.stop("SIGTERM");
    throw error;
  }
}

type ControlPlace = {
  readonly address: string;
  readonly port: number;
  /** Null: it speaks plain HTTP. */
  readonly certificates: CertificateStore | null;
};

/**
 * Where the control API is reached, on this machine first.
 *
 * @throws Error if there is no certificate for other machines
 */
function controlPlaces({
  stateDir,
  listen,
  controlPort,
  controlPlane,
  log,
}: Omit<MeshOptions, "platform">): readonly ControlPlace[] {
  const own = { address: listen, port: controlPort, certificates: null };
  const secured = controlPlane?.secured ?? null;
  if (secured === null) return [own];
  const { address, port, paths } = secured;
  const name = `the control API: ${hostPort(address, port)}`;
  const certificates = new CertificateStore(paths, (line) => log(`${name}: ${line}`));
  if (certificates.problem !== null) throw new Error(certificates.problem);
  certificates.recordIn(usedCertificatesRecord(stateDir, log));
  return [own, { address, port, certificates }];
}

type ControlListening = {
  readonly agent: RuntimeAgent;
  readonly sockets: InheritedSockets | undefined;
  readonly secrets: MeshSecrets;
  readonly budget: DescriptorBudget;
  readonly log: (line: string) => void;
};

/** @throws Error if the port cannot be opened */
async function openControlListener(
  { address, port, certificates }: ControlPlace,
  { agent, sockets, secrets, budget, log }: ControlListening,
): Promise<Listener> {
  const name = `the control API: ${hostPort(address, port)}`;
  const place = socketKey(address, port);
  const socket = sockets?.take(place) ?? null;
  const profile = listenerProfile(
    controlIdentity,
    secrets.entryKey,
    certificates === null ? "http" : "https",
  );
  const onError = (error: Error): void => log(`${name}: ${error.message}`);
  const options = { budget, onError, socket, ...(certificates !== null && { tls: certificates }) };
  try {
    const listener = await Listener.open(address, port, profile, agent, options);
    if (socket === null) sockets?.keep(place, listener.socket);
    return listener;
  } catch (error) {
    const reason = openFailure(error as NodeJS.ErrnoException);
    throw new Error(`cannot open ${hostPort(address, port)} for the control API: ${reason}`);
  }
}

async function fetchSwarm(control: string, token: string): Promise<{ id: string; tokens: NodeJoinTokens }> {
  const response = await fetch(`${control}/swarm`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok)
    throw new Error(`GET ${control}/swarm responded with ${response.status}: ${await response.text()}`);
  const { ID, JoinTokens } = (await response.json()) as {
    ID: string;
    JoinTokens: { Worker: string; Manager: string };
  };
  return { id: ID, tokens: { worker: JoinTokens.Worker, manager: JoinTokens.Manager } };
}

type PortPublishing = {
  readonly ports: PublishedPorts;
  readonly closedPorts: StateFile;
  readonly follower: TableFollower;
  readonly tableCopy: TableCopy;
  /** Ends the reports of connections of mode tcp. */
  readonly endReports: () => Promise<void>;
  readonly listeners: LocalMesh["listeners"];
};

/** Follows the routing table and keeps a listener open for each port it publishes. */
function publishPorts(
  { stateDir, listen, edgePort, runtime, variables, budget, exit, platform, controlPlane, log }: PartsOptions,
  secrets: MeshSecrets,
  plan: AddressPlan,
  upstream: Upstream,
  control: string,
): PortPublishing {
  const isControlPlane = controlPlane !== undefined;
  const closedPorts = closedPortsRecord(stateDir, log);
  const agent = new RuntimeAgent(upstream);
  const limits = readLimits(variables);
  let bodyTimeoutMs = longestBodyTimeoutMs(limits, []);
  const tableCopy = new TableCopy(agent, secrets.entryKey);
  const router = new TcpRouter(Date.now, Math.random, randomUUID());
  const endReports = reportTcpTraffic(router.traffic, (route, body) => tableCopy.report(route, body));
  const signing = {
    keys: () => tableCopy.keys.gatewayKeys ?? [],
    signingKey: () => router.routes?.signingKey ?? null,
  };
  const dialer = new TargetDialer(randomUUID(), signing, Date.now, null);
  const ports = new PublishedPorts(
    agent,
    secrets.entryKey,
    log,
    (closed) => closedPorts.write(closed),
    { budget, bodyTimeoutMs: () => bodyTimeoutMs },
    // On Cloudflare there is no mode tcp.
    platform === null ? { router, dialer, budget } : null,
  );
  let desired: readonly DesiredListener[] = [];
  const balancer = { address: listen, defaultPort: edgePort };
  const onTable = async (table: RoutingTable): Promise<void> => {
    // The data plane may send there as soon as it has the table.
    exit.setTable(table);
    // On Cloudflare an isolate has no second source of the table.
    if (platform === null) tableCopy.update(table);
    router.setTable(table);
    const ownIngress = await fetchNodesWithIngress(control, secrets.token);
    const placed = platform === null ? table : withTestAddresses(table);
    desired = isControlPlane ? [] : desiredListeners(placed, plan, balancer, ownIngress, runtime);
    bodyTimeoutMs = longestBodyTimeoutMs(
      limits,
      table.services.map(({ options }) => options ?? {}),
    );
    return ports.apply(desired);
  };
  closedPorts.write([]);
  const follower = followTable(control, secrets.token, onTable);
  const listeners = () =>
    desired.map((listener) => ({
      ...listener,
      openPort: ports.portOf(listener.key),
      isRefused: ports.hasFailed(listener.key),
    }));
  return { ports, closedPorts, follower, tableCopy, endReports, listeners };
}

type MeshParts = MeshProcesses &
  Pick<PortPublishing, "ports" | "closedPorts" | "follower" | "tableCopy" | "endReports"> & {
    readonly exit: ServerExit;
    readonly platform: LocalPlatform | null;
    readonly watches: readonly (StateWatch | DescriptorWatch)[];
    readonly lock: StateLock;
    readonly stateDir: string;
    readonly isControlPlane: boolean;
  };

/**
 * Stops the listeners, then the control API and the registry, then the agents with their tasks. A registry that saw
 * its nodes leave one after the other would move every task to the last one, where the next start would find them.
 */
async function stopParts(parts: MeshParts): Promise<void> {
  for (const watch of parts.watches) watch.stop();
  parts.follower.stop();
  parts.tableCopy.stop();
  await parts.ports.close();
  await parts.endReports();
  await Promise.all(parts.operatorListeners.map((listener) => listener.close()));
  await Promise.all(
    parts.controlListeners.map((listener) =>
      // Clients that have connected just now get their responses. Later ones wait for the next process.
      parts.isControlPlane ? listener.drain(controlPlaneGraceMs) : listener.close(meshGraceMs),
    ),
  );
  for (const runtime of parts.runtimes.children) await runtime.stop("SIGTERM");
  // SIGINT: stop now. On SIGTERM each agent would wait for replacements.
  await Promise.all(parts.agents.map((agent) => agent.stop("SIGINT")));
  await stopOrphanedTasks(parts.stateDir);
  await parts.exit.close();
  await parts.platform?.close();
  parts.closedPorts.close();
  parts.children.close();
  parts.lock.release();
}
