// A steady stream of requests, to find out whether any fails while something is done to the mesh.

/** One request that did not end in a 2xx answer, and when. */
export type Failure = { readonly atMs: number; readonly url: string; readonly what: string };

export type Load = {
  /** Stops and tells. */
  readonly stop: () => Promise<{ readonly sent: number; readonly failures: readonly Failure[] }>;
};

/** Asks each URL in turn, from `workers` clients at once, each next request after the last one's answer. */
export function startLoad(urls: readonly string[], workers = 4): Load {
  let running = true;
  let sent = 0;
  const failures: Failure[] = [];
  const ask = async (url: string): Promise<void> => {
    sent++;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(15_000) });
      const body = await response.text();
      if (!response.ok)
        failures.push({ atMs: Date.now(), url, what: `${response.status} ${body.slice(0, 200)}` });
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause ?? error;
      failures.push({ atMs: Date.now(), url, what: String(cause) });
    }
  };
  const loops = Array.from({ length: workers }, async (_, worker) => {
    for (let turn = worker; running; turn++) {
      await ask(urls[turn % urls.length] ?? "");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return {
    stop: async () => {
      running = false;
      await Promise.all(loops);
      return { sent, failures };
    },
  };
}
