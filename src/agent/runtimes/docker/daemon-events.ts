// Follows the daemon's event stream, over restarts of the daemon.

import type Docker from "dockerode";
import { jitteredBackoffMs } from "../../backoff.ts";
import { wait } from "../../wait.ts";

type EventFollower = {
  readonly filters: Docker.GetEventsOptions["filters"];
  /** A connection begins: events from here on arrive, those before it are lost. */
  readonly onConnect: () => void;
  /** @param line a JSON object */
  readonly onLine: (line: string) => void;
  /** The connection failed or ended; another one follows. */
  readonly onFailure: (error: unknown) => void;
  /** Ends the following. */
  readonly signal: AbortSignal;
};

/** Resolves when the signal aborts. Never rejects. */
export async function followEvents(
  docker: Docker,
  { filters, onConnect, onLine, onFailure, signal }: EventFollower,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const stream = await docker.getEvents({ filters, abortSignal: signal });
      failures = 0;
      onConnect();
      for await (const line of eventLines(stream)) onLine(line);
      throw new Error("the event stream ended");
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    await wait(Math.min(jitteredBackoffMs(failures, Math.random()), 1_000), signal);
  }
}

async function* eventLines(stream: NodeJS.ReadableStream): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
