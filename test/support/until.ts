// Waits for a condition instead of a fixed time.

/**
 * Calls `probe` until its value is neither false, null nor undefined, and resolves with that value. A probe
 * that throws is retried; its last error is the cause of the timeout.
 *
 * @param what the condition, for the error message: `waited 10000 ms for WHAT`
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = Date.now() + withinMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadlineMs) throw new Error(`waited ${withinMs} ms for ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
