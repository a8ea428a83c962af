// Connections to a Workers runtime that does not run.

import { request } from "node:http";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { RuntimeAgent } from "../../../src/local/runtime-agent.ts";

/** A port at which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** Sends a request. @returns the error code with which it failed; null while it waits */
function failureOf(agent: RuntimeAgent): () => string | null {
  let code: string | null = null;
  request({ agent })
    .on("error", (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message;
    })
    .end();
  return () => code;
}

test("[U610] an agent that is destroyed dials no longer, and its requests fail", async () => {
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: await closedPort() });
  const failure = failureOf(agent);
  agent.destroy();
  // A request waits for ten seconds otherwise.
  await expect.poll(failure, { timeout: 5_000 }).toBe("RUNTIME_DOWN");
});

test("[U611] a request waits ten seconds for the runtime, also if the clock is set back meanwhile", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  try {
    const agent = new RuntimeAgent({ host: "127.0.0.1", port: await closedPort() });
    const failure = failureOf(agent);
    vi.setSystemTime(Date.now() - 3_600_000);
    let waitedMs = 0;
    for (; failure() === null && waitedMs < 60_000; waitedMs += 10) {
      await setImmediate();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(failure()).toBe("RUNTIME_DOWN");
    expect(waitedMs).toBeGreaterThanOrEqual(10_000);
  } finally {
    vi.useRealTimers();
  }
});
