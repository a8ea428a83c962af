// How long a service's tasks take to begin an answer, as this isolate sees it: enough to know when waiting longer is
// worth less than asking a second task.

/** Counting starts anew after this long, and the window before it still counts; milliseconds. */
const windowMs = 10_000;
/** With fewer answers than this nothing is known. */
const minSamples = 20;
/** Buckets grow by a fifth root of two each: an estimate is at most 15 % too high. */
const bucketsPerDoubling = 5;
const bucketCount = 90;

/** Asking again sooner than this would only double the load of a service that is fast anyway. Milliseconds. */
export const minHedgeMs = 50;
/** Before anything is known of a service, milliseconds. */
export const unknownHedgeMs = 100;

export class ServiceLatency {
  #current = new Uint32Array(bucketCount);
  #before = new Uint32Array(bucketCount);
  #count = 0;
  #countBefore = 0;
  #startedMs = Number.NEGATIVE_INFINITY;
  #hedgeMs = unknownHedgeMs;
  /** Answers until the estimate is made anew. */
  #untilEstimate = minSamples;

  /** Takes in one answer that began `tookMs` after it was asked for. */
  record(tookMs: number, nowMs: number): void {
    if (nowMs - this.#startedMs >= windowMs) this.#turn(nowMs);
    const bucket = bucketOf(tookMs);
    this.#current[bucket] = (this.#current[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#untilEstimate -= 1;
    if (this.#untilEstimate > 0) return;
    this.#hedgeMs = Math.max(minHedgeMs, this.percentile(0.95));
    this.#untilEstimate = minSamples;
  }

  /** How long to wait for one task before a second one is asked: about the service's p95, milliseconds. */
  get hedgeAfterMs(): number {
    return this.#hedgeMs;
  }

  /** Upper bound of the bucket in which the percentile lies, milliseconds; 0 when nothing was counted. */
  percentile(share: number): number {
    let left = share * (this.#count + this.#countBefore);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      left -= (this.#current[bucket] ?? 0) + (this.#before[bucket] ?? 0);
      if (left <= 0) return upperMs(bucket);
    }
    return upperMs(bucketCount - 1);
  }

  #turn(nowMs: number): void {
    const isRecent = nowMs - this.#startedMs < 2 * windowMs;
    [this.#before, this.#current] = [this.#current, this.#before];
    this.#countBefore = isRecent ? this.#count : 0;
    if (!isRecent) this.#before.fill(0);
    this.#current.fill(0);
    this.#count = 0;
    this.#startedMs = nowMs;
  }
}

function bucketOf(ms: number): number {
  if (ms <= 1) return 0;
  return Math.min(bucketCount - 1, Math.ceil(Math.log2(ms) * bucketsPerDoubling));
}

function upperMs(bucket: number): number {
  return 2 ** (bucket / bucketsPerDoubling);
}
