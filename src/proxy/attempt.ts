// One attempt: a request sent to one task, and how that went.

/** How a request is sent on; `fetch`, or what stands in for it. */
export type Dial = (request: Request) => Promise<Response>;

/** How attempts are made, the same for all of a data plane. */
export type AttemptPolicy = {
  readonly dial: Dial;
  /** How long a task may take to begin its answer, milliseconds. Never cuts an answer that has begun. */
  readonly headTimeoutMs: number;
  /**
   * True on Cloudflare, where a task that cannot be reached comes back as a response of the platform's (520-527, 530).
   * Elsewhere such a status is the task's own.
   */
  readonly platformStatuses: boolean;
};

/** A response; or nothing came before the connection failed; or nothing came in time. */
export type Outcome = Response | "failed" | "slow";

/**
 * Sends a request to one task.
 *
 * @param timed false for a request whose body streams: how long the client takes to send it is not the task's fault
 * @returns the task's response, body not read
 */
export async function attempt(policy: AttemptPolicy, request: Request, timed: boolean): Promise<Outcome> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const sent = policy.dial(request);
    const response = timed ? await Promise.race([sent, slow(policy, (id) => (timer = id))]) : await sent;
    if (response === "slow" || !policy.platformStatuses || !isPlatformFailure(response.status))
      return response;
    await response.body?.cancel();
    return "failed";
  } catch {
    // The runtime's errors do not tell refused from reset, nor either from an unknown host name.
    return "failed";
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves after the head time-out. The fetch is raced, not aborted: an AbortSignal would stay tied to the body and cost
 * it the runtime's own streaming, and the platform cancels what is left of a request that has been answered.
 */
function slow(policy: AttemptPolicy, keep: (timer: ReturnType<typeof setTimeout>) => void): Promise<"slow"> {
  return new Promise((resolve) => keep(setTimeout(resolve, policy.headTimeoutMs, "slow")));
}

function isPlatformFailure(status: number): boolean {
  return (status >= 520 && status <= 527) || status === 530;
}
