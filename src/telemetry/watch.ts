// Whether a person or program looks at current traffic. While so, routers report about every second; else they
// report with their next poll, which costs the mesh a tenth of the calls and rows.

/** For so long after a live read the telemetry counts as watched, milliseconds: pages read again every few seconds. */
export const watchMs = 15_000;
/** For so long the registry believes a notice, milliseconds. A reply of the telemetry object ends it earlier. */
export const noticeMs = 60_000;

/** The live reads of one telemetry object, by its clock. Kept in memory only: readers read again. */
export class TelemetryWatch {
  #beganMs = 0;
  #untilMs = Number.NEGATIVE_INFINITY;
  #noticedMs = Number.NEGATIVE_INFINITY;

  /** Notes a live read. @returns true if the registry must be notified, so that routers report sooner */
  read(nowMs: number): boolean {
    if (!this.isWatched(nowMs)) {
      this.#beganMs = nowMs;
      this.#noticedMs = Number.NEGATIVE_INFINITY;
    }
    this.#untilMs = nowMs + watchMs;
    const sinceMs = nowMs - this.#noticedMs;
    if (sinceMs >= 0 && sinceMs < noticeMs / 2) return false;
    this.#noticedMs = nowMs;
    return true;
  }

  isWatched(nowMs: number): boolean {
    // After the clock was set back, a read of before counts no longer: the next one is not far.
    return nowMs < this.#untilMs && nowMs >= this.#untilMs - watchMs;
  }

  /** For how long it has been watched without a break, milliseconds; 0 if it is not. */
  watchedForMs(nowMs: number): number {
    return this.isWatched(nowMs) ? Math.max(0, nowMs - this.#beganMs) : 0;
  }
}
