// Waits: how many requests wait, by item, in sum over isolates.

/** Waiting for an answer; of these in line. */
export type GaugeValues = { readonly open: number; readonly queue: number };

const zeroGauges: GaugeValues = { open: 0, queue: 0 };

export class QueueGauges {
  readonly #byKey = new Map<string, GaugeValues>();

  get(key: string): GaugeValues {
    return this.#byKey.get(key) ?? zeroGauges;
  }

  /** @param key of a task, or of an entry, which counts for its service and its node too */
  add(key: string, waits: GaugeValues): void {
    this.replace(key, zeroGauges, waits);
  }

  /** What waited before waits no more, and what waits now does. */
  replace(key: string, before: GaugeValues, now: GaugeValues): void {
    if (before.open === now.open && before.queue === now.queue) return;
    for (const one of aggregatedKeys(key)) {
      const sum = this.get(one);
      const open = sum.open + now.open - before.open;
      const queue = sum.queue + now.queue - before.queue;
      if (open === 0 && queue === 0) this.#byKey.delete(one);
      else this.#byKey.set(one, { open, queue });
    }
  }

  remove(key: string, waits: GaugeValues): void {
    this.replace(key, waits, zeroGauges);
  }
}

function aggregatedKeys(key: string): readonly string[] {
  const [kind, serviceId, nodeId] = key.split(" ");
  return kind === "entry" ? [key, `service ${serviceId}`, `node ${nodeId}`] : [key];
}
