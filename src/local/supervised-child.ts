// Keeps one child process of the mesh running: when it exits by itself, it is started again.

import { wait } from "../agent/wait.ts";
import { signalGroup } from "../os/process-identity.ts";
import { type ChildProgram, type ChildStop, type MeshChild, type StopMessage, startChild } from "./child.ts";

/** A child that runs longer than this was not a failed start: the next restart is immediate again. */
const steadyRunMs = 30_000;
const firstRestartDelayMs = 500;
const maxRestartDelayMs = 10_000;

/** Time for a child to stop after its signal, milliseconds; longer than Docker's stop grace period of 10 s. */
const childStopTimeoutMs = 15_000;

type SupervisedProgram<Ready> = ChildProgram & {
  /** The child in messages: `the agent of node1`. */
  readonly title: string;
  /** Called with the value of each start. */
  readonly onReady: (ready: Ready) => void;
  /** Called with each report of the child; absent: it sends none. */
  readonly onReport?: (report: unknown) => void;
};

/** What all children of a mesh share. */
export type ChildContext = {
  /** Receives one line for each exit and each restart. */
  readonly log: (line: string) => void;
  /** Called with each process that starts: a child, or a process that a child started (`parent`). */
  readonly onProcess: (pid: number, parent: number | null) => void;
};

/**
 * The delay before a restart, milliseconds: 0 at first, then doubling up to 10 s. Attempts never end,
 * because what stops them may end, such as a full disk.
 *
 * @param exits exits in a row, each after a short run; at least 1
 */
export function restartDelayMs(exits: number): number {
  if (exits <= 1) return 0;
  return Math.min(maxRestartDelayMs, firstRestartDelayMs * 2 ** Math.min(exits - 2, 30));
}

/** @see docs/decisions/0056-supervised-children.md */
export class SupervisedChild<Ready> {
  readonly #program: SupervisedProgram<Ready>;
  readonly #context: ChildContext;
  readonly #stopping = new AbortController();
  #child: MeshChild<Ready>;
  #supervision: Promise<void> = Promise.resolve();

  private constructor(program: SupervisedProgram<Ready>, context: ChildContext) {
    this.#program = program;
    this.#context = context;
    this.#child = this.#spawn();
  }

  /** Starts the child and supervises it. @throws Error with the child's reason if the first start fails */
  static async start<Ready>(
    program: SupervisedProgram<Ready>,
    context: ChildContext,
  ): Promise<SupervisedChild<Ready>> {
    const supervised = new SupervisedChild(program, context);
    const startedAtMs = Date.now();
    program.onReady(await supervised.#child.ready);
    supervised.#supervision = supervised.#supervise(startedAtMs);
    return supervised;
  }

  /** The process that runs now. */
  get process(): MeshChild<Ready>["process"] {
    return this.#child.process;
  }

  /** Stops the child, which is not started again. Kills it if it takes too long. */
  stop(signal: "SIGINT" | "SIGTERM"): Promise<void> {
    return this.#end((child) => child.kill(signal), childStopTimeoutMs);
  }

  /** The same for a child that serves clients. */
  stopServing(how: ChildStop): Promise<void> {
    const message: StopMessage = { stop: how };
    return this.#end((child) => child.connected && child.send(message), how.graceMs + childStopTimeoutMs);
  }

  /** Ends the child at once, with what it has started; it is not started again. */
  kill(): void {
    this.#stopping.abort();
    this.#endGroup();
  }

  async #end(ask: (child: MeshChild<Ready>["process"]) => unknown, timeoutMs: number): Promise<void> {
    this.#stopping.abort();
    const { process: child, exited } = this.#child;
    ask(child);
    const killTimer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    await exited;
    clearTimeout(killTimer);
    await this.#supervision;
    this.#endGroup();
  }

  #spawn(): MeshChild<Ready> {
    const { title, logFile, onReport } = this.#program;
    const { log, onProcess } = this.#context;
    const child = startChild<Ready>(this.#program, {
      onEvent: (event) => log(`${title}: ${event}; log: ${logFile}`),
      onProcess: (pid) => onProcess(pid, child.process.pid ?? null),
      ...(onReport !== undefined && { onReport }),
    });
    if (child.process.pid !== undefined) onProcess(child.process.pid, null);
    return child;
  }

  async #supervise(firstStartMs: number): Promise<void> {
    const { log } = this.#context;
    const { title, logFile, onReady } = this.#program;
    const { signal } = this.#stopping;
    let startedAtMs = firstStartMs;
    let exits = 0;
    let lastReport = "";
    for (;;) {
      const exit = await this.#child.exited;
      if (signal.aborted) return;
      const failure = await failureOf(this.#child);
      this.#endGroup();
      exits = Date.now() - startedAtMs >= steadyRunMs ? 1 : exits + 1;
      const delayMs = restartDelayMs(exits);
      const what = failure === null ? `exited (${exit})` : `did not start: ${failure}`;
      // A reason that lasts is reported once, not with each attempt.
      if (what !== lastReport) log(`${title} ${what}; ${restartText(delayMs)}; log: ${logFile}`);
      lastReport = failure === null ? "" : what;
      await wait(delayMs, signal);
      if (signal.aborted) return;
      startedAtMs = Date.now();
      this.#child = this.#spawn();
      void this.#child.ready.then(
        (ready) => {
          onReady(ready);
          log(`${title} is running again`);
        },
        // Handled at the exit.
        () => {},
      );
    }
  }

  /**
   * Ends the processes that a dead child has left in its group, such as workerd. Tasks are in groups of their
   * own.
   */
  #endGroup(): void {
    const { pid } = this.#child.process;
    if (pid !== undefined) signalGroup(pid, "SIGKILL");
  }
}

/** The reason why an exited child did not become ready; null if it did. */
function failureOf(child: MeshChild<unknown>): Promise<string | null> {
  return child.ready.then(
    () => null,
    (error: Error) => error.message,
  );
}

function restartText(delayMs: number): string {
  return delayMs === 0 ? "starting it again" : `starting it again in ${delayMs / 1_000} s`;
}
