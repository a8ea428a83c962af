// Connections to a Workers runtime that does not run.

import { request } from "node:http";
import { createServer } from "node:net";
import { expect, test } from "vitest";
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
