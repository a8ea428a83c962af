// The agent: joins a machine to the mesh as a node and runs the tasks that the registry assigns to it.

import { isIP } from "node:net";
import { resolve } from "node:path";
import { isLoopback } from "../domain/model/dialed-host.ts";
import { MeshError } from "../domain/model/error.ts";
import { printable } from "../domain/model/printable.ts";
import { isAlive } from "../domain/model/task.ts";
import { relayPath } from "../gateway/relay.ts";
import type { AgentMessage, JoinReply, ListenersReport, NodeDescription } from "../protocol/agent.ts";
import { AgentGateway } from "./agent-gateway.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import type { SessionEnd } from "./control-socket.ts";
import { DependencyFiles } from "./dependency-files.ts";
import { Discovery } from "./discovery/discovery.ts";
import { fetchDependency } from "./fetch-dependency.ts";
import type { GatewayTask } from "./gateway/gateway.ts";
import { logKeyOf, type NodeKey } from "./gateway/proof.ts";
import { connectionDescriptors } from "./gateway/router-connections.ts";
import type { IngressContext, RunningIngress } from "./ingress.ts";
import { joinMesh, routeUrl } from "./join.ts";
import { logBody } from "./logs/log-body.ts";
import { openMemoryFolder } from "./memory-folder.ts";
import { NetworkNames } from "./names/network-names.ts";
import { describeNode, nodePlatform } from "./node-description.ts";
import { NodeTunnel } from "./node-tunnel.ts";
import type { AgentOptions } from "./options.ts";
import { probeTask } from "./probes.ts";
import { Reporter } from "./reporter.ts";
import { connectDaemon, type DockerDaemon } from "./runtimes/docker/daemon.ts";
import { DockerRuntime } from "./runtimes/docker/docker-runtime.ts";
import { builtInImages, readImages } from "./runtimes/images.ts";
import { PortAllocator, taskHost } from "./runtimes/ports.ts";
import { ProcessRuntime } from "./runtimes/process.ts";
import type { Runtime } from "./runtimes/runtime.ts";
import { Session } from "./session.ts";
import { acquireStateDir, readMembership, writeMembership } from "./state-dir.ts";
import { StopRequest } from "./stop-request.ts";
import { TaskRecords } from "./task-records.ts";
import { Tasks } from "./tasks.ts";
import { wait, waitForAbort } from "./wait.ts";

export { type AgentOptions, defaultAgentOptions } from "./options.ts";

/** How often old folders of tasks are removed, milliseconds. */
const housekeepingMs = 10_000;
/** How often a leaving agent checks whether its tasks have been replaced, milliseconds. */
const leavePollMs = 50;

/**
 * Runs an agent until a stop is requested (see stop-request.ts) or an error ends it.
 *
 * @returns the exit code: 0 after a requested stop, 1 after an error, which is the last line logged
 */
export async function runAgent(agentOptions: AgentOptions): Promise<number> {
  // Log lines carry text from outside, which must not start a line of its own.
  const log = (line: string) => agentOptions.log(`${new Date().toISOString()} ${printable(line)}`);
  const options = { ...agentOptions, stateDir: resolve(agentOptions.stateDir), log };
  const stop = new StopRequest(log);
  try {
    routeUrl(options.url, "");
    const { runtime, kind, daemon } = await makeRuntime(options);
    try {
      const { stateDir, ingress, handOver } = options;
      const releaseStateDir =
        handOver === undefined ? acquireStateDir(stateDir, ingress?.lockNote) : () => undefined;
      try {
        const discovered = options.discovers ? daemon : undefined;
        await new NodeAgent({ ...options, runtime: kind }, runtime, stop, discovered).run();
      } finally {
        releaseStateDir();
      }
    } finally {
      runtime.close?.();
    }
    return 0;
  } catch (error) {
    // Errors that the operator can fix, such as a read-only state folder. Others are bugs and keep their
    // stack.
    if (!(error instanceof MeshError) && !isSystemError(error)) throw error;
    log(error.message);
    return 1;
  } finally {
    stop.dispose();
  }
}

type ChosenRuntime = {
  readonly runtime: Runtime;
  readonly kind: NodeDescription["runtime"];
  /** Whose containers are discovered. Absent: none are. */
  readonly daemon?: DockerDaemon;
};

/** Chooses the runtime: as configured, else Docker if a daemon answers. */
async function makeRuntime(options: AgentOptions): Promise<ChosenRuntime> {
  const { runtime, kind, stateDir, log } = options;
  // A balancer runs no tasks.
  if (runtime === "process" || kind === "balancer") return makeProcessRuntime(options);
  try {
    const daemon = await connectDaemon(process.env);
    log(`runs tasks as containers of the Docker daemon at ${daemon.socketPath} (API ${daemon.api})`);
    return { runtime: makeDockerRuntime(options, daemon), kind: "docker", daemon };
  } catch (error) {
    // Containers of an earlier agent must not be taken for ended tasks because their daemon is away.
    if (runtime === "docker" || !(error instanceof MeshError) || hasContainers(stateDir)) throw error;
    log(`runs tasks as processes: ${error.message}`);
    return makeProcessRuntime(options);
  }
}

function hasContainers(stateDir: string): boolean {
  const records = new TaskRecords(stateDir).all(() => {});
  return records.some(({ report }) => isAlive(report) && report.containerId !== undefined);
}

function makeDockerRuntime(
  { hostname, address, gatewayListen, stateDir, log }: AgentOptions,
  daemon: DockerDaemon,
): Runtime {
  const host = gatewayListen ?? address;
  return new DockerRuntime({
    daemon,
    node: { hostname, ...nodePlatform() },
    agent: agentName(hostname, stateDir),
    // The nodes of a mesh on one machine must not share ports.
    hostIp: isIP(host) === 4 && isLoopback(host) ? host : "",
    log,
  });
}

/** Identifies an agent across its restarts. */
function agentName(hostname: string, stateDir: string): string {
  return `${hostname} ${stateDir}`;
}

async function makeProcessRuntime({
  images,
  hostname,
  address,
  gatewayListen,
  stateDir,
}: AgentOptions): Promise<ChosenRuntime> {
  const host = taskHost(gatewayListen ?? address);
  const records = new TaskRecords(stateDir);
  const customImages = images === undefined ? [] : readImages(images);
  const runtime = new ProcessRuntime({
    images: new Map([...builtInImages(process.env.PATH ?? ""), ...customImages]),
    ports: new PortAllocator(host, Date.now),
    nodeName: hostname,
    ...nodePlatform(),
    host,
    taskDir: (id) => records.dirOf(id),
    env: process.env,
  });
  return { runtime, kind: "process" };
}

/** Options with the chosen runtime. */
type NodeOptions = AgentOptions & { readonly runtime: NodeDescription["runtime"] };

class NodeAgent {
  readonly #options: NodeOptions;
  readonly #runtime: Runtime;
  readonly #stop: StopRequest;
  readonly #tasks: Tasks;
  readonly #records: TaskRecords;
  readonly #reporter: Reporter;
  readonly #discovery: Discovery | null = null;
  readonly #names: NetworkNames;
  #gateway: AgentGateway | null = null;
  #membership: JoinReply | null = null;
  #logKeys: readonly NodeKey[] = [];
  #session: Session | null = null;
  #isLeaving = false;
  #ingress: Promise<RunningIngress> | null = null;
  #listeners: ListenersReport = { open: 0, closed: [] };

  /** @param daemon whose containers are discovered; undefined: none are */
  constructor(options: NodeOptions, runtime: Runtime, stop: StopRequest, daemon: DockerDaemon | undefined) {
    this.#options = options;
    this.#runtime = runtime;
    this.#stop = stop;
    if (daemon !== undefined) {
      const onChange = () => this.#reportDiscovery();
      this.#discovery = new Discovery({ docker: daemon.docker, log: options.log, onChange });
    }
    this.#records = new TaskRecords(options.stateDir);
    this.#reporter = new Reporter(
      (tasks) => this.#session?.send({ type: "report", tasks }) ?? false,
      (id) => this.#tasks.report(this.#membership?.nodeId ?? "", id),
    );
    this.#names = this.#makeNames(runtime);
    this.#tasks = new Tasks({
      runtime,
      prober: probeTask,
      nowMs: Date.now,
      wait,
      isCurrent: () => this.#session?.isCurrent() ?? false,
      records: this.#records,
      files: new DependencyFiles(
        () => openMemoryFolder(options.stateDir, process.env),
        async (ref, signal) => {
          const membership = this.#membership;
          if (membership !== null) return fetchDependency(ref, { url: options.url, membership }, signal);
          return { ok: false, reason: "this machine is no longer a node of the mesh" };
        },
      ),
      openNames: () => this.#names.openNames(),
      onChange: (id, change) => {
        this.#reporter.markChanged(id, change);
        // Its container has an address now, or has none any more.
        if (change === "state") void this.#names.refresh();
      },
      whenIdle: (id, maxMs) => this.#gateway?.gateway.whenIdle(id, maxMs) ?? Promise.resolve(),
      log: options.log,
    });
  }

  #makeNames(runtime: Runtime): NetworkNames {
    const { hostname, stateDir, url, log } = this.#options;
    return new NetworkNames({
      runtime,
      agent: agentName(hostname, stateDir),
      relay: () => {
        const router = this.#membership;
        return router && { url: routeUrl(url, relayPath.slice(1)).href, router };
      },
      nowMs: () => this.#gateway?.nowMs() ?? Date.now(),
      processEndpoint: (taskId, port) => this.#tasks.gatewayTask(taskId)?.ports.get(port) ?? null,
      // Each has two descriptors; the rest is for published ports.
      maxConnections: Math.floor(connectionDescriptors() / 4),
      log,
    });
  }

  async run(): Promise<void> {
    const housekeeping = setInterval(() => {
      this.#tasks.removeExpiredFolders();
      // Another program, such as a firewall, may have replaced the packet rules.
      void this.#names.refresh();
    }, housekeepingMs);
    try {
      await this.#tasks.restore(this.#runtime);
      await this.#discovery?.start();
      if (this.#options.kind !== "balancer")
        this.#gateway = await AgentGateway.open(this.#options, {
          task: (id) => this.#gatewayTask(id),
          networks: this.#names.gateway,
          logs: {
            keys: () => this.#logKeys,
            body: (target, signal) => logBody(this.#runtime, target, signal),
          },
        });
      await this.#runNodes();
    } finally {
      clearInterval(housekeeping);
      this.#discovery?.close();
      await this.#endIngress();
      await this.#names.close();
      await this.#gateway?.gateway.close(0);
      this.#reporter.clear();
    }
  }

  /**
   * Runs one node after another: an agent whose node the registry does not know joins again if it has a token.
   * After its node was removed while it was connected, it joins no more, and without a token it ends.
   */
  async #runNodes(): Promise<void> {
    this.#membership = readMembership(this.#options.stateDir);
    for (let sessions = 1; ; sessions++) {
      if (this.#membership === null) await this.#join();
      if (this.#membership === null) return this.#stopOrDetachTasks();
      this.#logKeys = [logKeyOf(this.#membership.credential)];
      this.#startIngress(this.#membership);
      await Promise.race([
        this.#options.handOver?.isAlone,
        waitForAbort(this.#ending),
        failureOf(this.#ingress),
      ]);
      const end = await this.#runSession(this.#membership);
      if (end === "closed") return;
      if (end === "removed" || end === "not-a-member") await this.#forgetIngress();
      if (end === "removed" && this.#options.token !== undefined) return this.#stayOut();
      await this.#handleSessionEnd(end);
      await wait(jitteredBackoffMs(sessions, Math.random()), this.#ending);
    }
  }

  /** Aborts at a requested stop, and when the next process takes over. */
  get #ending(): AbortSignal {
    const { handOver } = this.#options;
    const { requested } = this.#stop;
    return handOver === undefined ? requested : AbortSignal.any([requested, handOver.requested]);
  }

  /** Sets `#membership`, unless a stop is requested first. */
  async #join(): Promise<void> {
    const { url, token, log, stateDir } = this.#options;
    try {
      if (token === undefined) throw notJoinedError();
      const joinOptions = { url, token, node: this.#describe(), random: Math.random, log };
      this.#membership = await joinMesh(joinOptions, this.#stop.requested);
    } catch (error) {
      // Joining failed, so no mesh owns the tasks that still run here.
      await this.#tasks.stopAll();
      throw error;
    }
    if (this.#membership === null) return;
    writeMembership(stateDir, this.#membership);
    log(`joined as node ${this.#membership.nodeId}`);
  }

  /** Runs the session of one node until it ends, or until a stop is requested and the node has left. */
  async #runSession(membership: JoinReply): Promise<SessionEnd> {
    const { url, log, token } = this.#options;
    const tunnel = this.#gateway && new NodeTunnel({ url, membership, gateway: this.#gateway.gateway, log });
    const session = new Session({
      url,
      membership,
      joinToken: token,
      greeting: () => this.#greeting(membership),
      onAssignment: (assignment) => {
        this.#gateway?.apply(assignment);
        tunnel?.follow(assignment.tunnel);
        this.#names.apply(assignment);
        this.#tasks.apply(assignment, !this.#isLeaving);
        this.#options.onAssigned?.();
      },
      onProbe: (taskIds) => this.#tasks.probe(taskIds),
      log,
      nowMs: Date.now,
      random: Math.random,
    });
    this.#session = session;
    const sessionAbort = new AbortController();
    const sessionEnd = session.run(sessionAbort.signal);
    const stopRequested = waitForAbort(this.#ending).then(() => "stop" as const);
    const ingressFailure = failureOf(this.#ingress);
    try {
      const first = await Promise.race([sessionEnd, stopRequested, ingressFailure]);
      if (first instanceof Error) {
        sessionAbort.abort();
        await sessionEnd;
        await this.#tasks.detachAll();
        throw first;
      }
      if (first !== "stop") return first;
      if (this.#stop.requested.aborted) await this.#leave(session);
      sessionAbort.abort();
      await sessionEnd;
      return "closed";
    } finally {
      tunnel?.stop();
    }
  }

  #greeting({ nodeId }: JoinReply): readonly AgentMessage[] {
    const hello = {
      type: "hello",
      node: this.#describe(),
      tasks: this.#tasks.reports(nodeId),
      ...(this.#options.ingress !== undefined && { listeners: this.#listeners }),
      ...(this.#discovery !== null && { discovers: true }),
    } as const;
    this.#reporter.clear();
    // A hello cancels a `leaving` of an earlier socket, so it is sent again.
    return [hello, ...this.#discoveryMessages(), ...(this.#isLeaving ? [{ type: "leaving" } as const] : [])];
  }

  /** The message with what was discovered; none if the agent does not discover. */
  #discoveryMessages(): readonly AgentMessage[] {
    return this.#discovery === null ? [] : [{ type: "discovery", discovery: this.#discovery.report }];
  }

  #reportDiscovery(): void {
    for (const message of this.#discoveryMessages()) this.#session?.send(message);
  }

  /** A task that the gateway forwards to: one of the mesh's, or a discovered one. */
  #gatewayTask(id: string): GatewayTask | null {
    const nodeId = this.#membership?.nodeId ?? "";
    return this.#tasks.gatewayTask(id) ?? this.#discovery?.gatewayTask(nodeId, id) ?? null;
  }

  #describe(): NodeDescription {
    const { kind, ingress, hostname, address, runtime } = this.#options;
    return describeNode({
      hostname,
      address,
      runtime,
      ...(kind !== undefined && { kind }),
      ...(ingress !== undefined && { ingress: true }),
      ...(this.#gateway !== null && {
        gateway: { port: this.#gateway.gateway.port, tls: this.#options.gatewayTls !== undefined },
      }),
    });
  }

  /** Starts the ingress of this node, which goes on from session to session. */
  #startIngress(membership: JoinReply): void {
    const { ingress, ...options } = this.#options;
    if (ingress === undefined || this.#ingress !== null) return;
    const onListeners: IngressContext["onListeners"] = (listeners) => {
      this.#listeners = listeners;
      this.#session?.send({ type: "report", tasks: [], listeners });
    };
    this.#ingress = ingress.start({ ...options, membership, onListeners });
    // Handled where a session runs.
    this.#ingress.catch(() => {});
  }

  async #stopIngress(): Promise<void> {
    const running = await this.#ingress?.catch(() => null);
    this.#ingress = null;
    this.#listeners = { open: 0, closed: [] };
    await running?.stop();
  }

  /** Stops the ingress, or leaves its sockets to the next process. */
  async #endIngress(): Promise<void> {
    const { handOver } = this.#options;
    if (handOver === undefined || !handOver.requested.aborted) return this.#stopIngress();
    handOver.ended();
    await this.#ingress?.then(
      (running) => running.handOver(handOver.drainMs),
      () => undefined,
    );
  }

  /** Also removes the table and the keys that the node had. */
  async #forgetIngress(): Promise<void> {
    await this.#stopIngress();
    this.#options.ingress?.forget(this.#options.stateDir);
  }

  /**
   * Waits for a stop, out of the mesh, as dockerd does after its node was removed: an exit would make a supervisor
   * start the agent again, which would join with the token of its command line.
   */
  async #stayOut(): Promise<void> {
    this.#membership = null;
    this.#options.log(
      `an operator removed this node (${this.#session?.lastRefusal ?? ""}): its tasks stop, and this agent stays out of the mesh; to join again, restart it with --join TOKEN`,
    );
    await this.#tasks.stopAll();
    await waitForAbort(this.#stop.requested);
  }

  /** Prepares to join again, or throws if the registry refuses this agent for good. */
  async #handleSessionEnd(end: SessionEnd): Promise<void> {
    const { log, token, stateDir } = this.#options;
    const reason = this.#session?.lastRefusal ?? "";
    if (end === "removed" || end === "not-a-member") {
      log(`this machine is no longer a node of the mesh (${reason})`);
      this.#membership = null;
      if (token !== undefined) return;
      await this.#tasks.stopAll();
      throw notJoinedError();
    }
    if (end === "superseded") {
      await this.#tasks.stopAll();
      throw fatalError(
        "agent/conflict",
        `another agent has connected as this node: is ${stateDir} a copy of its state folder?`,
      );
    }
    // This agent does not fit the registry's release. Another agent can take over the tasks.
    await this.#tasks.detachAll();
    throw fatalError(
      "agent/invalid",
      `the registry refused this agent (${reason}); does its version match the mesh?`,
    );
  }

  async #leave(session: Session): Promise<void> {
    const { onStop, drainTimeoutMs, log } = this.#options;
    if (onStop === "keep") return this.#stopOrDetachTasks();
    this.#isLeaving = true;
    const { immediate } = this.#stop;
    // Sent also for an immediate stop, so that the scheduler places no replacement here.
    session.send({ type: "leaving" });
    const deadlineMs = Date.now() + drainTimeoutMs;
    const isNeeded = () => this.#tasks.hasDesiredRunning() || this.#tasks.hasUnreleased();
    while (isNeeded() && Date.now() < deadlineMs && !immediate.aborted) await wait(leavePollMs, immediate);
    const isReplaced = !isNeeded();
    if (!isReplaced && !immediate.aborted)
      log("not all tasks were replaced on other nodes in time; stopping them");
    if (isReplaced) await Promise.race([this.#tasks.allEnded(), waitForAbort(immediate)]);
    await this.#stopOrDetachTasks();
    this.#reporter.flush();
    session.send({ type: "goodbye", reason: immediate.aborted ? "agent stopped" : "agent left" });
    log("goodbye");
  }

  async #stopOrDetachTasks(): Promise<void> {
    if (this.#options.onStop === "keep") {
      this.#options.log("tasks keep running for the next agent of this state folder");
      return this.#tasks.detachAll();
    }
    await this.#tasks.stopAll();
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "code" in error;
}

function notJoinedError(): MeshError {
  return fatalError(
    "join/unauthorized",
    "this machine has not joined the mesh: start the agent with --join TOKEN (waggle join-token or docker swarm join-token worker prints it)",
  );
}

function fatalError(code: MeshError["code"], message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}

/** Resolves with the reason if the ingress cannot start; never if it can, or if there is no ingress. */
function failureOf(ingress: Promise<unknown> | null): Promise<Error> {
  return new Promise((resolve) => ingress?.catch((error: Error) => resolve(error)));
}
