// The open requests of each task: their number, their maximum with its queue, and waiting for the last one.

/** The maximum of open requests of a task (HAProxy `maxconn`, `maxqueue` and `timeout queue` of a server). */
export type RequestLimit = {
  readonly maxconn: number;
  /** Requests that may wait. */
  readonly queue: number;
  readonly queueTimeoutMs: number;
};

/** @param isAdmitted false after the queue timeout */
type OnTurn = (isAdmitted: boolean) => void;

type Waiting = { readonly maxconn: number; readonly onTurn: OnTurn; readonly timer: NodeJS.Timeout };

type TaskRequests = {
  open: number;
  readonly waiting: Set<Waiting>;
  readonly idleListeners: Set<() => void>;
};

/** Counts requests by task. */
export class TaskOpenRequests {
  readonly #tasks = new Map<string, TaskRequests>();

  count(taskId: string): number {
    return this.#tasks.get(taskId)?.open ?? 0;
  }

  /** Counts a request if the task has room and no earlier one waits. `leave` takes it back. */
  enter(taskId: string, limit: RequestLimit | undefined): boolean {
    const task = this.#task(taskId);
    if (limit !== undefined && (task.open >= limit.maxconn || task.waiting.size > 0)) return false;
    task.open += 1;
    return true;
  }

  /**
   * Lets a request wait its turn; when that comes, it is counted.
   *
   * @returns a function that ends the waiting; null if too many wait
   */
  wait(taskId: string, limit: RequestLimit, onTurn: OnTurn): (() => void) | null {
    const task = this.#task(taskId);
    if (task.waiting.size >= limit.queue) return null;
    const timer = setTimeout(() => {
      stop();
      onTurn(false);
    }, limit.queueTimeoutMs);
    const waiting: Waiting = { maxconn: limit.maxconn, onTurn, timer };
    const stop = (): void => {
      clearTimeout(timer);
      task.waiting.delete(waiting);
      this.#forgetIdle(taskId, task);
    };
    task.waiting.add(waiting);
    return stop;
  }

  leave(taskId: string): void {
    const task = this.#task(taskId);
    task.open -= 1;
    this.#admit(task);
    this.#forgetIdle(taskId, task);
  }

  /** Resolves when the task has no open request, or after `maxMs`. */
  whenIdle(taskId: string, maxMs: number): Promise<void> {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        task.idleListeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, maxMs);
      task.idleListeners.add(done);
    });
  }

  #task(taskId: string): TaskRequests {
    const known = this.#tasks.get(taskId);
    if (known !== undefined) return known;
    const task = { open: 0, waiting: new Set<Waiting>(), idleListeners: new Set<() => void>() };
    this.#tasks.set(taskId, task);
    return task;
  }

  #admit(task: TaskRequests): void {
    for (const waiting of task.waiting) {
      if (task.open >= waiting.maxconn) return;
      task.waiting.delete(waiting);
      clearTimeout(waiting.timer);
      task.open += 1;
      waiting.onTurn(true);
    }
  }

  #forgetIdle(taskId: string, task: TaskRequests): void {
    if (task.open > 0) return;
    for (const listener of task.idleListeners) listener();
    if (task.waiting.size === 0 && this.#tasks.get(taskId) === task) this.#tasks.delete(taskId);
  }
}
