// The daemon's event stream, as a reason to look at a container again. What is true is read from the container
// itself, so a lost event costs only time: after each new connection all containers are looked at.

import type Docker from "dockerode";
import { z } from "zod";
import { jitteredBackoffMs } from "../../backoff.ts";
import { wait } from "../../wait.ts";
import { errorText, eventLines } from "./daemon.ts";

const Event = z.object({ Actor: z.object({ ID: z.string() }) });

export class ContainerEvents {
  readonly #docker: Docker;
  readonly #log: (line: string) => void;
  readonly #watchers = new Map<string, () => void>();
  readonly #closed = new AbortController();
  #isFollowing = false;

  constructor(docker: Docker, log: (line: string) => void) {
    this.#docker = docker;
    this.#log = log;
  }

  /** Calls `look` now and whenever the container may have changed. @returns ends that */
  watch(containerId: string, look: () => void): () => void {
    this.#watchers.set(containerId, look);
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      void this.#follow();
    }
    look();
    return () => this.#watchers.delete(containerId);
  }

  close(): void {
    this.#closed.abort();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closed;
    let loggedReason = "";
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        const stream = await this.#docker.getEvents({
          filters: { type: ["container"], event: ["die", "destroy", "health_status"] },
          abortSignal: signal,
        });
        if (loggedReason !== "") this.#log("the Docker daemon responds again");
        loggedReason = "";
        failures = 0;
        for (const look of this.#watchers.values()) look();
        await this.#read(stream);
      } catch (error) {
        if (signal.aborted) return;
        const reason = errorText(error);
        if (reason !== loggedReason) this.#log(`the Docker daemon does not respond: ${reason}; trying again`);
        loggedReason = reason;
      }
      await wait(Math.min(jitteredBackoffMs(failures, Math.random()), 1_000), signal);
    }
  }

  async #read(stream: NodeJS.ReadableStream): Promise<void> {
    for await (const line of eventLines(stream)) this.#watchers.get(containerOf(line))?.();
    throw new Error("the event stream ended");
  }
}

function containerOf(line: string): string {
  try {
    return Event.safeParse(JSON.parse(line)).data?.Actor.ID ?? "";
  } catch {
    return "";
  }
}
