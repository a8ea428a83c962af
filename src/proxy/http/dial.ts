// One attempt: a request sent to one task, and how that went; and waiting for one.

/**
 * How a request is sent on; `fetch`, or what stands in for it. Takes URL and settings: a Request made for it would be
 * copied by `fetch` once more, some six percent of what proxying a request costs.
 */
export type Dial = (url: string, init: RequestInit) => Promise<Response>;

/** How attempts are made, the same for all of a data plane. */
export type AttemptPolicy = {
  readonly dial: Dial;
  /**
   * True on Cloudflare, where a task that cannot be reached comes back as a response of the platform's (520-527, 530).
   * Elsewhere such a status is the task's own.
   */
  readonly platformStatuses: boolean;
};

/** A response, body not read; or nothing came before the connection failed. */
export type Outcome = Response | "failed";

/**
 * Sends a request to one task. Never rejects.
 *
 * @param marker a header that each answer of the task's own has: a 502, 503 or 504 without it was given by something on
 *   the path to the task, such as a tunnel whose other end is gone. Absent: such an answer is the task's.
 */
export async function attempt(
  policy: AttemptPolicy,
  url: string,
  init: RequestInit,
  marker: string | undefined,
): Promise<Outcome> {
  try {
    const response = await policy.dial(url, init);
    if (response.status < 502 || !isOfThePath(response, policy, marker)) return response;
    await response.body?.cancel();
    return "failed";
  } catch {
    // The runtime's errors do not tell refused from reset, nor either from an unknown host name.
    return "failed";
  }
}

/**
 * An attempt's outcome, or "slow" when it takes longer than `ms`. The outcome must not reject.
 *
 * The fetch is raced, not aborted: an AbortSignal would stay tied to the body and cost it the runtime's own streaming,
 * and the platform cancels what is left of a request that has been answered.
 */
export function within<T>(outcome: Promise<T>, ms: number): Promise<T | "slow"> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, "slow");
    void outcome.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

function isOfThePath(
  { status, headers }: Response,
  policy: AttemptPolicy,
  marker: string | undefined,
): boolean {
  if (status <= 504) return marker !== undefined && !headers.has(marker);
  return policy.platformStatuses && ((status >= 520 && status <= 527) || status === 530);
}
