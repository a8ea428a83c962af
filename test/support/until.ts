// Waiting for a condition, never for a length of time.

/**
 * Resolves with the first value of `probe` that is neither false, null nor undefined. A probe that throws is tried
 * again; the last error is the reason given when time is up.
 *
 * @param what the condition in words, for the failure
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = Date.now() + withinMs;
  let reason: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      reason = undefined;
    } catch (error) {
      reason = error;
    }
    if (Date.now() >= deadlineMs) throw new Error(`waited ${withinMs} ms for ${what}`, { cause: reason });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
