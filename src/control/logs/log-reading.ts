// Reads the logs of several tasks: opens a stream at each of their nodes, merges them, and follows new tasks.

import { Semaphore } from "../../domain/model/semaphore.ts";
import type { Task } from "../../domain/model/task.ts";
import { isAlive, taskStates } from "../../domain/model/task.ts";
import { type LogLine, printLogTime } from "../../gateway/logs/log-line.ts";
import { maxLogTasks, printLogTarget } from "../../gateway/logs/log-request.ts";
import { LineMerge } from "../../gateway/logs/merge-lines.ts";
import type { DialGateway } from "../../proxy/plane.ts";
import type { MeshApi } from "../../registry/api.ts";
import type { LogCall } from "../../registry/log-calls.ts";
import type { LogOptions } from "./log-options.ts";
import { NodeLogError, readNodeLog } from "./node-log.ts";

/** A line of a task. */
export type NamedLine = LogLine & { readonly of: Task };

type LogTasks = {
  readonly tasks: readonly Task[];
  /** There will be no further ones, and none of them runs. */
  readonly isFinal: boolean;
};

type LogDeps = {
  readonly mesh: Pick<MeshApi, "signLogs">;
  readonly dialGateway: DialGateway;
  /** The tasks whose logs are read, history included. */
  readonly tasks: () => Promise<LogTasks>;
};

/** Gateways dialed at a time: a Worker has at most six connections that wait for a response. */
const maxDials = 5;
/** Between two looks for new tasks of a follower, milliseconds. */
const newTasksMs = 2_000;
/** Before a node that could not be read is tried again, milliseconds. */
const nodeRetryMs = 10_000;
/** How long a follower waits for a node whose line may be the next, milliseconds. */
const quietNodeMs = 100;

/** What readings of a mesh need. */
type LogMesh = {
  readonly mesh: Pick<MeshApi, "signLogs" | "task" | "tasks">;
  readonly dialGateway: DialGateway;
};

/** Reads the logs of a service's tasks; a follower ends when the service is removed. */
export function serviceLogs(deps: LogMesh, serviceId: string, options: LogOptions): LogReading {
  const tasks = async (): Promise<LogTasks> => {
    const found = await deps.mesh.tasks({ services: [serviceId] });
    return { tasks: found.ok ? found.value : [], isFinal: !found.ok };
  };
  return new LogReading({ ...deps, tasks }, options);
}

/** Reads the logs of one task. */
export function taskLogs(deps: LogMesh, taskId: string, options: LogOptions): LogReading {
  const tasks = async (): Promise<LogTasks> => {
    const found = await deps.mesh.task(taskId);
    return found.ok ? { tasks: [found.value], isFinal: !isAlive(found.value) } : { tasks: [], isFinal: true };
  };
  return new LogReading({ ...deps, tasks }, options);
}

/** A task that was or is read. */
type Progress = { state: "open" | "done" | "missing"; after: string | null; readonly isFirst: boolean };

export class LogReading {
  readonly #deps: LogDeps;
  readonly #options: LogOptions;
  readonly #merge: LineMerge<NamedLine>;
  readonly #slots = new Semaphore(maxDials);
  readonly #progress = new Map<string, Progress>();
  /** Why nodes could not be read, by their id. */
  readonly #missing = new Map<string, { readonly reason: string; retryAtMs: number }>();
  /** Lines of the mesh itself, for followers. */
  #notices: NamedLine[] = [];
  #next: Promise<readonly NamedLine[] | null> | null = null;
  #polledAtMs = 0;
  #isStarted = false;
  #isClosed = false;

  constructor(deps: LogDeps, options: LogOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#merge = new LineMerge(options.follow ? quietNodeMs : null);
  }

  /** Why lines are missing, one clause for each node. */
  get missing(): readonly string[] {
    return [...this.#missing.values()].map(({ reason }) => reason);
  }

  /** The next lines in the order of their times; null at the end. @param maxBytes ends the list */
  async next(maxBytes: number): Promise<readonly NamedLine[] | null> {
    if (!this.#isStarted) await this.#openTasks();
    while (!this.#isClosed) {
      if (this.#notices.length > 0) return this.#notices.splice(0);
      this.#next ??= this.#merge.next(maxBytes);
      const lines = this.#options.follow ? await this.#nextOrPoll(this.#next) : await this.#next;
      if (lines === "poll") {
        if ((await this.#openTasks()) === "over" && !this.#isReading()) return null;
        continue;
      }
      this.#next = null;
      if (lines === null) {
        if (!this.#options.follow) return null;
        await sleep(Math.max(0, this.#polledAtMs + newTasksMs - Date.now()));
        if ((await this.#openTasks()) === "over" && !this.#isReading()) return null;
        continue;
      }
      for (const { of, time } of lines) {
        const progress = this.#progress.get(of.id);
        if (progress !== undefined) progress.after = time;
      }
      return lines;
    }
    return null;
  }

  close(): void {
    this.#isClosed = true;
    this.#merge.close();
  }

  #isReading(): boolean {
    return [...this.#progress.values()].some(({ state }) => state === "open");
  }

  async #nextOrPoll(
    next: Promise<readonly NamedLine[] | null>,
  ): Promise<readonly NamedLine[] | null | "poll"> {
    const waitMs = this.#polledAtMs + newTasksMs - Date.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = new Promise<"poll">((resolve) => {
      timer = setTimeout(resolve, Math.max(0, waitMs), "poll");
    });
    return Promise.race([next, poll]).finally(() => clearTimeout(timer));
  }

  /** Opens the streams of tasks that are not read yet. @returns `over` if there will be no further tasks */
  async #openTasks(): Promise<"more" | "over"> {
    this.#polledAtMs = Date.now();
    const isFirst = !this.#isStarted;
    this.#isStarted = true;
    const { tasks, isFinal } = await this.#deps.tasks();
    const toOpen = tasks.filter((task) => this.#shouldOpen(task));
    for (const { id } of toOpen) {
      const known = this.#progress.get(id);
      if (known === undefined) this.#progress.set(id, { state: "open", after: null, isFirst });
      else known.state = "open";
    }
    // A task that began later, or was read before, is read from there.
    const isTailed = ({ id }: Task) => {
      const { isFirst, after } = this.#progress.get(id) as Progress;
      return isFirst && after === null;
    };
    const { streams, follow, tail, since } = this.#options;
    const batches = [
      ...batchesOf(toOpen.filter(isTailed)).map((batch) => ({ batch, tail, since })),
      ...batchesOf(toOpen.filter((task) => !isTailed(task))).map((batch) => ({
        batch,
        tail: null,
        since: null,
      })),
    ];
    if (batches.length === 0) return isFinal ? "over" : "more";
    const calls = await this.#deps.mesh.signLogs(
      batches.map(({ batch, ...range }) => ({
        nodeId: batch[0]?.nodeId ?? "",
        target: printLogTarget({
          tasks: batch.map(({ id }) => ({ id, after: this.#progress.get(id)?.after ?? null })),
          streams,
          follow,
          ...range,
        }),
      })),
    );
    for (const [index, { batch }] of batches.entries())
      this.#merge.add(this.#read(calls[index] as LogCall, batch));
    return isFinal ? "over" : "more";
  }

  #shouldOpen(task: Task): boolean {
    if (task.nodeId === null || taskStates[task.state] < taskStates.starting) return false;
    const missing = this.#missing.get(task.nodeId);
    if (missing !== undefined && Date.now() < missing.retryAtMs) return false;
    const state = this.#progress.get(task.id)?.state;
    // The agent had not started a task yet that is live and whose stream has ended.
    return state === undefined || state === "missing" || (state === "done" && isAlive(task));
  }

  async *#read(call: LogCall, batch: readonly Task[]): AsyncGenerator<readonly NamedLine[], void, void> {
    let end: Progress["state"] = "done";
    try {
      for await (const lines of readNodeLog(call, batch.length, this.#deps.dialGateway, this.#slots)) {
        this.#missing.delete(call.nodeId);
        yield lines.map(({ task, ...line }) => ({ ...line, of: batch[task] as Task }));
      }
    } catch (error) {
      if (!(error instanceof NodeLogError)) throw error;
      end = "missing";
      this.#miss(call.nodeId, error.message, batch);
    } finally {
      for (const { id } of batch) {
        const progress = this.#progress.get(id);
        if (progress !== undefined) progress.state = end;
      }
    }
  }

  /** Notes that the logs of a node are missing; a follower reads it once, as a line of the tasks. */
  #miss(nodeId: string, reason: string, batch: readonly Task[]): void {
    const isNew = !this.#missing.has(nodeId);
    this.#missing.set(nodeId, { reason, retryAtMs: Date.now() + nodeRetryMs });
    if (!this.#options.follow || !isNew || !this.#options.streams.includes("stderr")) return;
    const text = new TextEncoder().encode(`waggle: logs are missing: ${reason}\n`);
    const time = printLogTime(Date.now());
    const of = batch.findLast(isAlive) ?? (batch[0] as Task);
    this.#notices.push({ of, stream: "stderr", time, text });
  }
}

/** Tasks of one node each, and not too many. */
function batchesOf(tasks: readonly Task[]): readonly (readonly Task[])[] {
  return [...Map.groupBy(tasks, ({ nodeId }) => nodeId).values()].flatMap((ofNode) =>
    Array.from({ length: Math.ceil(ofNode.length / maxLogTasks) }, (_, index) =>
      ofNode.slice(index * maxLogTasks, (index + 1) * maxLogTasks),
    ),
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
