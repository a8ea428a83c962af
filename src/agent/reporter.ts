// Reports: what is told to the registry, and when. A new state is told at once; several within one turn of the event
// loop, or a mere step of a health count, go out together.

import type { TaskReport } from "../protocol/agent.ts";

/** How long a step of a health count may wait for company, milliseconds. */
const reportBatchMs = 200;

export class Reporter {
  readonly #send: (tasks: TaskReport[]) => boolean;
  readonly #read: (id: string) => TaskReport | null;
  readonly #changed = new Set<string>();
  #immediate: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param send false when there is nobody to tell; the next hello tells it all
   * @param read the present report of a task; null when it is nothing to be told
   */
  constructor(send: (tasks: TaskReport[]) => boolean, read: (id: string) => TaskReport | null) {
    this.#send = send;
    this.#read = read;
  }

  /** Takes note that a task's report changed. */
  markChanged(id: string, what: "state" | "health"): void {
    this.#changed.add(id);
    if (what === "state") this.#immediate ??= setImmediate(() => this.flush());
    else this.#timer ??= setTimeout(() => this.flush(), reportBatchMs).unref();
  }

  /** Tells all that is not told yet, now. */
  flush(): void {
    const tasks = [...this.#changed].map(this.#read).filter((report) => report !== null);
    this.clear();
    if (tasks.length > 0) this.#send(tasks);
  }

  /** Drops what is not told yet: a hello has just said it. */
  clear(): void {
    this.#changed.clear();
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#immediate = null;
    this.#timer = null;
  }
}
