// The outer process of a balancer or a control plane. It serves nothing: it keeps the listening sockets, and runs the
// command again as its child. A new child, of the release installed at that time, takes the sockets over.
//
//   SIGUSR2                   a new child takes over, and the old one finishes what it has open
//   SIGTERM, SIGINT, SIGHUP   the sockets close, and the child stops
//
// A child that a signal ends, such as the kernel's OOM killer's, is started again. If it exits, this process exits too.
// A service manager, such as systemd, learns when the first child serves.

import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { wait } from "../agent/wait.ts";
import { acquireLock, lockHolder } from "../os/lock-file.ts";
import { signalGroup } from "../os/process-identity.ts";
import { type HeldMessage, type HolderMessage, holderVariable } from "./held-process.ts";
import { KeptSockets } from "./kept-sockets.ts";
import { shellWord } from "./next-steps.ts";
import { holderNote, holderOf, stateFolderLocks } from "./reload-file.ts";
import { ReloadRequests } from "./reload-requests.ts";
import { notReplaced, problemUntilReady, replacedBeside, servingTimeoutMs } from "./replacement.ts";
import { restartDelayMs } from "./supervised-child.ts";

export type HolderOptions = {
  readonly stateDir: string;
  /** The lock of the folder, which this process has until it ends. */
  readonly lockFile: string;
  /** `beside`: the next child serves before the last one ends. `after`: it loads only, as with a database. */
  readonly next: "beside" | "after";
  /** How long open requests and connections of a replaced child may go on, milliseconds. */
  readonly drainMs: number;
  /** How long a stopped child may take, milliseconds. */
  readonly stopMs: number;
  readonly log: (line: string) => void;
};

/** How long a replaced child may take to end its session with the mesh. */
const endedTimeoutMs = 5_000;

/** For the end of a child after its connections have ended. */
const heldExitMs = 20_000;

/** Another process has the state folder. */
export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
  /** What would work. */
  readonly hint: string;

  constructor(stateDir: string, pid: number | null) {
    super(`the state folder ${stateDir} is in use by ${pid === null ? "another process" : `process ${pid}`}`);
    // Only an outer process is replaced.
    const isHolder = pid !== null && holderOf(stateDir) === pid;
    const reload = isHolder ? `replace it with \`waggle reload --state ${shellWord(stateDir)}\`, ` : "";
    this.hint = `${reload}stop it, or choose another --state DIR`;
  }
}

/**
 * Runs this process's own command in children until one ends by itself or a signal stops them.
 *
 * @returns the exit code
 * @throws FolderInUse, or the system's error if the folder cannot be written to
 */
export async function holdSockets(options: HolderOptions): Promise<number> {
  const { stateDir, lockFile } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(lockFile, holderNote);
  if (!lock.isAcquired) throw new FolderInUse(stateDir, lock.holderPid);
  try {
    // A balancer and a control plane in one folder would replace each other's records.
    const other = stateFolderLocks(stateDir)
      .filter((path) => path !== lockFile)
      .map(lockHolder)
      .find((holder) => holder !== null);
    if (other) {
      lock.release();
      throw new FolderInUse(stateDir, other.pid);
    }
    return await new Holder(options).run();
  } finally {
    lock.release();
  }
}

/** A child with what it has said so far. */
class HeldChild {
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly prepared: Promise<void>;
  readonly serving: Promise<void>;
  /** Resolves with the reason why it serves nothing. */
  readonly refused: Promise<string>;
  readonly ended: Promise<void>;
  hasExited = false;

  constructor(isSuccessor: boolean) {
    const [, program = "", ...args] = process.argv;
    this.process = fork(program, args, {
      // Its own group: Ctrl-C reaches this process only, which passes it on once.
      detached: true,
      stdio: ["inherit", "inherit", "inherit", "ipc"],
      env: {
        ...process.env,
        [holderVariable]: isSuccessor ? "successor" : "first",
        // The service manager listens to this process only.
        NOTIFY_SOCKET: undefined,
      },
    });
    const { promise: prepared, resolve: prepare } = Promise.withResolvers<void>();
    const { promise: serving, resolve: serve } = Promise.withResolvers<void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const { promise: refused, resolve: refuse } = Promise.withResolvers<string>();
    this.prepared = prepared;
    this.serving = serving;
    this.refused = refused;
    this.ended = ended;
    this.process.on("message", (message: HeldMessage) => {
      if ("isPrepared" in message) prepare();
      if ("isServing" in message) serve();
      if ("refused" in message) refuse(message.refused);
      if ("hasEnded" in message) end();
    });
    this.exited = new Promise((resolve) => {
      const exit = (how: number | string): void => {
        this.hasExited = true;
        resolve(how);
      };
      this.process.once("exit", (code, signal) => exit(code ?? signal ?? "unknown"));
      this.process.once("error", (error) => this.process.pid === undefined && exit(error.message));
    });
  }

  send(message: HolderMessage): void {
    if (this.process.connected) this.process.send(message, () => undefined);
  }

  /** Ends it with all that it has started and that is of its group. */
  kill(): void {
    if (this.process.pid !== undefined) signalGroup(this.process.pid, "SIGKILL");
  }
}

class Holder {
  readonly #options: HolderOptions;
  readonly #sockets = new KeptSockets(null);
  readonly #draining = new Set<HeldChild>();
  readonly #stopping = new AbortController();
  #current: HeldChild;
  #isReady = false;
  readonly #stops: readonly (readonly [NodeJS.Signals, () => void])[];
  readonly #reloads: ReloadRequests;

  constructor(options: HolderOptions) {
    this.#options = options;
    this.#stops = (["SIGTERM", "SIGINT", "SIGHUP"] as const).map((name) => [name, () => this.#stop(name)]);
    // Others read from the lock where to send them.
    for (const [name, listener] of this.#stops) process.on(name, listener);
    this.#reloads = new ReloadRequests(options.stateDir, options.log, () => this.#replace());
    this.#current = this.#start(false);
  }

  async run(): Promise<number> {
    try {
      return await this.#supervise();
    } finally {
      for (const [name, listener] of this.#stops) process.off(name, listener);
      this.#reloads.close();
    }
  }

  async #supervise(): Promise<number> {
    for (let crashes = 0; ; ) {
      const child = this.#current;
      const startedMs = performance.now();
      const exit = await child.exited;
      await this.#reloads.settled();
      // A reload has replaced it.
      if (child !== this.#current) continue;
      if (typeof exit === "number" || this.#stopping.signal.aborted) {
        this.#sockets.dropAll();
        await this.#endDraining();
        return typeof exit === "number" ? exit : 1;
      }
      crashes = performance.now() - startedMs < servingTimeoutMs ? crashes + 1 : 1;
      const delayMs = restartDelayMs(crashes);
      this.#options.log(`the process that serves the ports was ended by ${exit}; starting it again`);
      child.kill();
      await wait(delayMs, this.#stopping.signal);
      if (this.#stopping.signal.aborted) {
        await this.#endDraining();
        return 0;
      }
      this.#current = this.#start(false);
    }
  }

  #start(isSuccessor: boolean): HeldChild {
    const child = new HeldChild(isSuccessor);
    this.#giveSockets(child);
    return child;
  }

  #giveSockets(child: HeldChild): void {
    this.#sockets.attach(child.process);
    child.send({ start: true });
    void child.serving.then(() => this.#reportReady());
  }

  #reportReady(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    reportReady(process.env, this.#options.log);
  }

  #stop(signal: NodeJS.Signals): void {
    this.#stopping.abort();
    // New clients are refused at once.
    this.#sockets.dropAll();
    this.#current.process.kill(signal);
  }

  async #endDraining(): Promise<void> {
    const all = Promise.all([...this.#draining].map(({ exited }) => exited));
    await Promise.race([all, atMost(this.#options.stopMs)]);
    for (const child of this.#draining) child.kill();
  }

  #replace(): Promise<string> {
    if (this.#stopping.signal.aborted) return Promise.reject(new Error("not replaced: it is being stopped"));
    return this.#options.next === "beside" ? this.#replaceBeside() : this.#replaceAfter();
  }

  /** The next child serves the sockets as well, and then the last one stops to accept from them. */
  async #replaceBeside(): Promise<string> {
    const last = this.#current;
    const next = this.#start(true);
    await this.#requireReady(next, next.serving, last);
    this.#current = next;
    this.#sockets.detach(last.process);
    last.send({ handOver: true });
    await Promise.race([last.ended, last.exited, atMost(endedTimeoutMs)]);
    next.send({ isAlone: true });
    this.#drain(last);
    return replacedBeside(next.process.pid, last.process.pid);
  }

  #drain(child: HeldChild): void {
    if (child.hasExited) return;
    this.#draining.add(child);
    const timer = setTimeout(() => child.kill(), this.#options.drainMs + heldExitMs);
    timer.unref();
    void child.exited.then(() => {
      clearTimeout(timer);
      this.#draining.delete(child);
      this.#options.log(`process ${child.process.pid} has ended`);
    });
  }

  /** @throws Error if the next child is not ready; then it has ended, and the last one goes on */
  async #requireReady(next: HeldChild, ready: Promise<void>, last: HeldChild): Promise<void> {
    const problem = await this.#problemUntil(next, ready);
    if (problem === null) return;
    this.#sockets.reject(next.process);
    next.kill();
    await next.exited;
    throw notReplaced(problem, last.process.pid);
  }

  /** Clients wait in the sockets while no child serves them. */
  async #replaceAfter(): Promise<string> {
    const last = this.#current;
    const next = new HeldChild(true);
    await this.#requireReady(next, next.prepared, last);
    this.#sockets.detach(last.process);
    last.process.kill("SIGTERM");
    const timer = setTimeout(() => last.kill(), this.#options.stopMs + heldExitMs);
    await last.exited;
    clearTimeout(timer);
    if (this.#stopping.signal.aborted) {
      next.kill();
      throw new Error("not replaced: it was stopped");
    }
    this.#current = next;
    this.#giveSockets(next);
    const problem = await this.#problemUntil(next, next.serving);
    if (problem !== null) throw new Error(`the new process ${problem}`);
    return `process ${next.process.pid} serves the ports; process ${last.process.pid} has ended`;
  }

  /** @returns what the child did instead of becoming ready; null if it is */
  #problemUntil(child: HeldChild, ready: Promise<void>): Promise<string | null> {
    const ended = child.exited.then(async (exit) => {
      // Its last message may come after its end.
      if (child.process.connected) await once(child.process, "disconnect");
      return `ended (${exit}) before it served the ports`;
    });
    return problemUntilReady(ready, [child.refused, ended], this.#stopping.signal);
  }
}

/**
 * Reports to the service manager that started this process, if one did, that it serves.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
function reportReady(env: NodeJS.ProcessEnv, log: (line: string) => void): void {
  if (env.NOTIFY_SOCKET === undefined) return;
  // Node has no datagram sockets of Unix.
  execFile("systemd-notify", ["--ready"], (error) => {
    if (error !== null)
      log(`cannot report to the service manager that the ports are served: ${error.message}`);
  });
}

/** Resolves after `ms`. Unlike `wait`, it keeps no process from ending whose other work is done. */
function atMost(ms: number): Promise<void> {
  return delay(ms, undefined, { ref: false });
}
