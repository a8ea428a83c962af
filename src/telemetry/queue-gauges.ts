// Queue gauges: open and queued requests of each item, summed over isolates.

/** Requests waiting for response headers, and those of them in the queue. */
export type GaugeValues = { readonly open: number; readonly queue: number };

const zeroGauges: GaugeValues = { open: 0, queue: 0 };

export class QueueGauges {
  readonly #byKey = new Map<string, GaugeValues>();

  get(key: string): GaugeValues {
    return this.#byKey.get(key) ?? zeroGauges;
  }

  /** @param key of a task, or of an entry, whose values count for its service and its node too */
  add(key: string, values: GaugeValues): void {
    this.replace(key, zeroGauges, values);
  }

  /** Replaces the previous values of one isolate with its current ones. */
  replace(key: string, previous: GaugeValues, current: GaugeValues): void {
    if (previous.open === current.open && previous.queue === current.queue) return;
    for (const aggregated of aggregatedKeys(key)) {
      const sum = this.get(aggregated);
      const open = sum.open + current.open - previous.open;
      const queue = sum.queue + current.queue - previous.queue;
      if (open === 0 && queue === 0) this.#byKey.delete(aggregated);
      else this.#byKey.set(aggregated, { open, queue });
    }
  }

  remove(key: string, values: GaugeValues): void {
    this.replace(key, values, zeroGauges);
  }
}

function aggregatedKeys(key: string): readonly string[] {
  const [kind, serviceId, nodeId] = key.split(" ");
  return kind === "entry" ? [key, `service ${serviceId}`, `node ${nodeId}`] : [key];
}
