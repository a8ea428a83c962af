// How long the folder of an ended task, with its log, is kept.

/** Number of ended tasks per slot whose folders are kept while the service has tasks here: the newest ones. */
const endedPerSlot = 3;
/** After the removal of a task's service or slot, for readers that still follow its log. */
const removedGraceMs = 30_000;
/** After the end of a task whose service has no task here any more: it may have moved because of what is logged. */
const movedGraceMs = 60 * 60_000;

/** An ended task whose folder still exists. */
export type EndedTask = {
  readonly id: string;
  /** Id of its service. */
  readonly service: string;
  readonly slot: number;
  /** Epoch milliseconds, as all times here. */
  readonly endedAtMs: number;
  /** When it ended because its service or slot was removed; null if it ended otherwise. */
  readonly removedAtMs: number | null;
};

/**
 * The ended tasks whose folders must go.
 *
 * @param servicesHere ids of the services with a task that is assigned to this node; null before the first
 *   assignment
 * @see docs/spec.md N32, N64
 */
export function expiredTasks(
  ended: readonly EndedTask[],
  servicesHere: ReadonlySet<string> | null,
  nowMs: number,
): readonly EndedTask[] {
  const removed = ended.filter(
    ({ removedAtMs }) => removedAtMs !== null && nowMs - removedAtMs >= removedGraceMs,
  );
  const removedServices = new Set(removed.map(({ service }) => service));
  return ended.filter((task) => {
    if (removed.includes(task) || isOutnumbered(task, ended)) return true;
    if (servicesHere === null || servicesHere.has(task.service)) return false;
    return removedServices.has(task.service) || nowMs - task.endedAtMs >= movedGraceMs;
  });
}

/** True if enough tasks of the same slot have ended later. */
function isOutnumbered({ id, service, slot, endedAtMs }: EndedTask, ended: readonly EndedTask[]): boolean {
  const later = ended.filter(
    (other) =>
      other.service === service &&
      other.slot === slot &&
      (other.endedAtMs > endedAtMs || (other.endedAtMs === endedAtMs && other.id > id)),
  );
  return later.length >= endedPerSlot;
}
