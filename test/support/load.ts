// Constant load: sends requests all the time and records those that fail.

/** A request without a 2xx response. */
type FailedRequest = { readonly atMs: number; readonly url: string; readonly what: string };

export type Load = {
  /** Stops the load. @returns the number of requests and the failures */
  readonly stop: () => Promise<{ readonly sent: number; readonly failures: readonly FailedRequest[] }>;
};

/** Requests the URLs in turn from `workers` clients, each with one open request at a time. */
export function startLoad(urls: readonly string[], workers = 4): Load {
  let isRunning = true;
  let sent = 0;
  const failures: FailedRequest[] = [];
  const send = async (url: string): Promise<void> => {
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
    for (let turn = worker; isRunning; turn++) {
      await send(urls[turn % urls.length] ?? "");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return {
    stop: async () => {
      isRunning = false;
      await Promise.all(loops);
      return { sent, failures };
    },
  };
}
