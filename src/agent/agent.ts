// The agent: makes a machine a node of the mesh and runs what the registry assigns to it.

import { resolve } from "node:path";
import { MeshError } from "../domain/model/error.ts";
import type { AgentMessage, JoinReply } from "../protocol/agent.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import { joinMesh, routeUrl } from "./join.ts";
import { describeNode } from "./node-description.ts";
import type { AgentOptions } from "./options.ts";
import { probeTask } from "./probes.ts";
import { Reporter } from "./reporter.ts";
import { builtInImages, readImages } from "./runtimes/images.ts";
import { listenHost, PortAllocator } from "./runtimes/ports.ts";
import { ProcessRuntime } from "./runtimes/process.ts";
import type { Runtime } from "./runtimes/runtime.ts";
import { Session, type SessionEnd } from "./session.ts";
import { acquireStateDir, readMembership, writeMembership } from "./state-dir.ts";
import { StopRequest } from "./stop-request.ts";
import { TaskRecords } from "./task-records.ts";
import { Tasks } from "./tasks.ts";
import { wait } from "./wait.ts";

export { type AgentOptions, defaultAgentOptions } from "./options.ts";

const logRotateIntervalMs = 30_000;
/** How often a leaving agent looks whether its tasks have been replaced, milliseconds. */
const leavePollMs = 50;

/**
 * Runs an agent until it is asked to stop (see stop-request.ts) or cannot go on.
 *
 * @returns the exit code: 0 when it stopped as asked, 1 when it could not go on; the last line logged says why
 */
export async function runAgent(given: AgentOptions): Promise<number> {
  // Log lines carry words from outside; none of them may end a line.
  const log = (line: string) => given.log(`${new Date().toISOString()} ${line.replace(/\p{Cc}+/gu, " ")}`);
  const options = { ...given, stateDir: resolve(given.stateDir), log };
  const stop = new StopRequest(log);
  try {
    routeUrl(options.url, "");
    const runtime = await makeRuntime(options);
    const giveBack = acquireStateDir(options.stateDir);
    try {
      await new NodeAgent(options, runtime, stop).run();
    } finally {
      giveBack();
    }
    return 0;
  } catch (error) {
    // A state folder that cannot be written is the operator's to mend; anything else is a bug and keeps its stack.
    if (!(error instanceof MeshError) && !isSystemError(error)) throw error;
    log(error.message);
    return 1;
  } finally {
    stop.dispose();
  }
}

async function makeRuntime({ runtime, images, hostname, address, stateDir }: AgentOptions): Promise<Runtime> {
  if (runtime === "docker") {
    throw new MeshError("runtime/invalid", "the docker runtime is not there yet; use --runtime process", {
      blame: "operator",
      retry: "never",
    });
  }
  const host = await listenHost(address);
  const records = new TaskRecords(stateDir);
  const own = images === undefined ? [] : readImages(images);
  return new ProcessRuntime({
    images: new Map([...builtInImages(process.env.PATH ?? ""), ...own]),
    ports: new PortAllocator(host, Date.now),
    nodeName: hostname,
    address,
    host,
    taskDir: (id) => records.dirOf(id),
    env: process.env,
  });
}

class NodeAgent {
  readonly #options: AgentOptions;
  readonly #runtime: Runtime;
  readonly #stop: StopRequest;
  readonly #tasks: Tasks;
  readonly #records: TaskRecords;
  readonly #reporter: Reporter;
  #membership: JoinReply | null = null;
  #session: Session | null = null;
  #isLeaving = false;

  constructor(options: AgentOptions, runtime: Runtime, stop: StopRequest) {
    this.#options = options;
    this.#runtime = runtime;
    this.#stop = stop;
    this.#records = new TaskRecords(options.stateDir);
    this.#reporter = new Reporter(
      (tasks) => this.#session?.send({ type: "report", tasks }) ?? false,
      (id) => this.#tasks.report(this.#membership?.nodeId ?? "", id),
    );
    this.#tasks = new Tasks({
      runtime,
      prober: probeTask,
      nowMs: Date.now,
      wait,
      isCurrent: () => this.#session?.isCurrent() ?? false,
      records: this.#records,
      onChange: (id, what) => this.#reporter.markChanged(id, what),
      log: options.log,
    });
  }

  async run(): Promise<void> {
    const sweep = setInterval(() => this.#rotateLogs(), logRotateIntervalMs);
    try {
      await this.#tasks.restore(this.#runtime);
      await this.#runNodes();
    } finally {
      clearInterval(sweep);
      this.#reporter.clear();
    }
  }

  /** Is one node after another: whoever is removed from the mesh, and still has a token that lets in, joins anew. */
  async #runNodes(): Promise<void> {
    this.#membership = readMembership(this.#options.stateDir);
    for (let times = 1; ; times++) {
      if (this.#membership === null) await this.#join();
      if (this.#membership === null) return this.#stopOrDetachTasks();
      const end = await this.#runSession(this.#membership);
      if (end === "closed") return;
      await this.#handleSessionEnd(end);
      await wait(jitteredBackoffMs(times, Math.random()), this.#stop.requested);
    }
  }

  /** Leaves `#membership` null when it was asked to stop first. */
  async #join(): Promise<void> {
    const { url, token, log, stateDir } = this.#options;
    try {
      if (token === undefined) throw notJoinedError();
      const input = { url, token, node: describeNode(this.#options), random: Math.random, log };
      this.#membership = await joinMesh(input, this.#stop.requested);
    } catch (error) {
      // No node of any mesh: what it still runs is nobody's.
      await this.#tasks.stopAll();
      throw error;
    }
    if (this.#membership === null) return;
    writeMembership(stateDir, this.#membership);
    log(`joined as node ${this.#membership.nodeId}`);
  }

  /** Holds the connection of one node until there is nothing to hold. */
  async #runSession(membership: JoinReply): Promise<SessionEnd> {
    const { url, log } = this.#options;
    const session = new Session({
      url,
      membership,
      greeting: () => this.#greeting(membership),
      onAssignment: (assignment) => {
        this.#tasks.apply(assignment, !this.#isLeaving);
        this.#options.onAssigned?.();
      },
      onProbe: (taskIds) => this.#tasks.probe(taskIds),
      log,
      nowMs: Date.now,
      random: Math.random,
    });
    this.#session = session;
    const over = new AbortController();
    const held = session.run(over.signal);
    const asked = waitForAbort(this.#stop.requested).then(() => "asked" as const);
    const how = await Promise.race([held, asked]);
    if (how !== "asked") return how;
    await this.#leave(session);
    over.abort();
    await held;
    return "closed";
  }

  #greeting({ nodeId }: JoinReply): readonly AgentMessage[] {
    const hello = {
      type: "hello",
      node: describeNode(this.#options),
      tasks: this.#tasks.reports(nodeId),
    } as const;
    this.#reporter.clear();
    // A hello takes back a leaving said on an earlier socket.
    return this.#isLeaving ? [hello, { type: "leaving" }] : [hello];
  }

  /** What follows when the registry will not have this agent: join again, or end. */
  async #handleSessionEnd(end: SessionEnd): Promise<void> {
    const { log, token, stateDir } = this.#options;
    const why = this.#session?.lastRefusal ?? "";
    if (end === "not-a-member") {
      log(`this machine is no node of the mesh any more (${why})`);
      this.#membership = null;
      if (token !== undefined) return;
      await this.#tasks.stopAll();
      throw notJoinedError();
    }
    if (end === "superseded") {
      await this.#tasks.stopAll();
      throw fatalError(
        "agent/conflict",
        `another agent speaks as this node now: is ${stateDir} a copy of its folder?`,
      );
    }
    // A release of the registry that does not understand this agent: another agent may, and finds the tasks.
    await this.#tasks.detachAll();
    throw fatalError(
      "agent/invalid",
      `the registry refused this agent (${why}); is its version right for this mesh?`,
    );
  }

  async #leave(session: Session): Promise<void> {
    const { onStop, drainTimeoutMs, log } = this.#options;
    if (onStop === "keep") return this.#stopOrDetachTasks();
    this.#isLeaving = true;
    const { immediate } = this.#stop;
    // Said also when nobody is waited for: replacements must not be placed here.
    session.send({ type: "leaving" });
    const untilMs = Date.now() + drainTimeoutMs;
    const isNeeded = () => this.#tasks.hasDesiredRunning() || this.#tasks.hasUnreleased();
    while (isNeeded() && Date.now() < untilMs && !immediate.aborted) await wait(leavePollMs, immediate);
    const isReplaced = !isNeeded();
    if (!isReplaced && !immediate.aborted)
      log("not all tasks could be replaced elsewhere in time; stopping them");
    if (isReplaced) await Promise.race([this.#tasks.allEnded(), waitForAbort(immediate)]);
    await this.#stopOrDetachTasks();
    this.#reporter.flush();
    session.send({ type: "goodbye", reason: immediate.aborted ? "agent stopped" : "agent left" });
    log("goodbye");
  }

  async #stopOrDetachTasks(): Promise<void> {
    if (this.#options.onStop === "keep") {
      this.#options.log("tasks go on running for the next agent of this state folder");
      return this.#tasks.detachAll();
    }
    await this.#tasks.stopAll();
  }

  #rotateLogs(): void {
    try {
      this.#records.rotateLogs();
    } catch (error) {
      this.#options.log(`cannot shorten the tasks' logs: ${(error as Error).message}`);
    }
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "code" in error;
}

function notJoinedError(): MeshError {
  return fatalError(
    "join/unauthorized",
    "this machine has to join the mesh: start the agent with --join TOKEN (waggle join-token prints it, and so does docker swarm join-token worker)",
  );
}

function fatalError(code: MeshError["code"], message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
