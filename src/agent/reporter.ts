// Sends task reports to the registry. A new state is sent at once, together with all changes of the same turn
// of the event loop; a step of a health counter waits for other changes.

import type { TaskReport } from "../protocol/agent.ts";

/** How long a step of a health counter waits for other changes, milliseconds. */
const reportBatchMs = 200;

export class Reporter {
  readonly #send: (tasks: TaskReport[]) => boolean;
  readonly #read: (id: string) => TaskReport | null;
  readonly #changed = new Set<string>();
  #immediate: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param send returns false without a connection; the next hello then carries all reports
   * @param read the current report of a task; null if there is nothing to send
   */
  constructor(send: (tasks: TaskReport[]) => boolean, read: (id: string) => TaskReport | null) {
    this.#send = send;
    this.#read = read;
  }

  markChanged(id: string, change: "state" | "health"): void {
    this.#changed.add(id);
    if (change === "state") this.#immediate ??= setImmediate(() => this.flush());
    else this.#timer ??= setTimeout(() => this.flush(), reportBatchMs).unref();
  }

  /** Sends all pending reports now. */
  flush(): void {
    const tasks = [...this.#changed].map(this.#read).filter((report) => report !== null);
    this.clear();
    if (tasks.length > 0) this.#send(tasks);
  }

  /** Drops pending reports, for example because a hello has carried them. */
  clear(): void {
    this.#changed.clear();
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#immediate = null;
    this.#timer = null;
  }
}
