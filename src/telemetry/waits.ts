// Waits: how many requests wait, by item, in sum over isolates.

/** Waiting for an answer; of these in line. */
export type Waits = { readonly open: number; readonly queue: number };

const none: Waits = { open: 0, queue: 0 };

export class WaitSums {
  readonly #byKey = new Map<string, Waits>();

  of(key: string): Waits {
    return this.#byKey.get(key) ?? none;
  }

  /** @param key of a task, or of an entry, which counts for its service and its node too */
  add(key: string, waits: Waits): void {
    this.change(key, none, waits);
  }

  /** What waited before waits no more, and what waits now does. */
  change(key: string, before: Waits, now: Waits): void {
    if (before.open === now.open && before.queue === now.queue) return;
    for (const one of countedUnder(key)) {
      const sum = this.of(one);
      const open = sum.open + now.open - before.open;
      const queue = sum.queue + now.queue - before.queue;
      if (open === 0 && queue === 0) this.#byKey.delete(one);
      else this.#byKey.set(one, { open, queue });
    }
  }

  remove(key: string, waits: Waits): void {
    this.change(key, waits, none);
  }
}

function countedUnder(key: string): readonly string[] {
  const [kind, serviceId, nodeId] = key.split(" ");
  return kind === "entry" ? [key, `service ${serviceId}`, `node ${nodeId}`] : [key];
}
