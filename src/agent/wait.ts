// Waiting: time that passes unless something makes it pointless.

/**
 * Resolves after `ms` milliseconds or when `signal` aborts, whichever is first; never rejects.
 *
 * The timer is real time of this process: a machine that slept wakes with it overdue.
 */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
