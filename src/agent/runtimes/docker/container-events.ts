// The daemon's event stream, as a reason to look at a container again. What is true is read from the container
// itself, so a lost event costs only time: after each new connection all containers are looked at.

import type Docker from "dockerode";
import { z } from "zod";
import { errorText } from "./daemon.ts";
import { followEvents } from "./daemon-events.ts";

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

  #follow(): Promise<void> {
    let loggedReason = "";
    return followEvents(this.#docker, {
      filters: { type: ["container"], event: ["die", "destroy", "health_status"] },
      onConnect: () => {
        if (loggedReason !== "") this.#log("the Docker daemon responds again");
        loggedReason = "";
        for (const look of this.#watchers.values()) look();
      },
      onLine: (line) => this.#watchers.get(containerOf(line))?.(),
      onFailure: (error) => {
        const reason = errorText(error);
        if (reason !== loggedReason) this.#log(`the Docker daemon does not respond: ${reason}; trying again`);
        loggedReason = reason;
      },
      signal: this.#closed.signal,
    });
  }
}

function containerOf(line: string): string {
  try {
    return Event.safeParse(JSON.parse(line)).data?.Actor.ID ?? "";
  } catch {
    return "";
  }
}
