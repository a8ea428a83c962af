// Silence: whether a target has stopped responding, or only takes long for one request.
//
// A request that waits long says nothing about its target: it may be long work. A target is silent if another
// request waits there as well, nothing has come from it since both were sent, and another target of the
// service has meanwhile responded to a later request.

/** The requests of one target since it last sent anything. Times are epoch milliseconds; 0: no such request. */
export type TargetSilence = {
  /** When the first and the second of these requests were sent. */
  firstMs: number;
  secondMs: number;
  /** When the newest request was sent to which it has responded. */
  respondedMs: number;
};

/** The silence of each target of a service, by its id. Callers use `get`, else `addSilence`. */
export type SilenceByTarget = Map<string, TargetSilence>;

/** Maximum targets kept. One more clears all: evidence is collected again. */
const maxSilences = 5_000;

export function addSilence(silences: SilenceByTarget, targetId: string): TargetSilence {
  if (silences.size >= maxSilences) silences.clear();
  const added = { firstMs: 0, secondMs: 0, respondedMs: 0 };
  silences.set(targetId, added);
  return added;
}

/** Records that something came from a target: a response, or the end of a connection. */
export function endSilence(silences: SilenceByTarget, targetId: string): void {
  const silence = silences.get(targetId);
  if (silence === undefined) return;
  silence.firstMs = 0;
  silence.secondMs = 0;
}

/**
 * True if a target is silent.
 *
 * @param siblingIds the targets of its pool
 * @param waitMs how long the second request must have waited
 * @see docs/spec.md Y37-Y38
 */
export function isSilent(
  silences: SilenceByTarget,
  targetId: string,
  siblingIds: readonly string[],
  nowMs: number,
  waitMs: number,
): boolean {
  const silence = silences.get(targetId);
  if (silence === undefined || silence.secondMs === 0 || nowMs - silence.secondMs < waitMs) return false;
  const { firstMs } = silence;
  return siblingIds.some((id) => id !== targetId && (silences.get(id)?.respondedMs ?? 0) > firstMs);
}
