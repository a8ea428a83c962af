// Connections to the Workers runtime, kept open between requests. A connection waits while the runtime
// restarts.

import { Agent } from "node:http";
import { RuntimeSocket } from "./runtime-socket.ts";

/** A socket of workerd that requests are forwarded to. The port changes when the runtime is started again. */
export type Upstream = { readonly host: string; readonly port: number };

/** How long a request waits for a restart of the runtime, milliseconds. */
const dialTimeoutMs = 10_000;
const dialIntervalMs = 50;

/** workerd closes a connection that was idle for 5 s; a shorter time here leaves it no request to lose. */
const idleTimeoutMs = 3_000;

/** Idle connections kept, at most. */
const maxIdle = 64;

/** The runtime did not come back within `dialTimeoutMs`. */
export class RuntimeDownError extends Error {
  readonly code = "RUNTIME_DOWN";
}

type OnConnection = NonNullable<Parameters<Agent["createConnection"]>[1]>;

/**
 * An agent of Node's HTTP client for one runtime. Its connections carry the requests of many clients: they
 * were written by Node from parsed requests, so none of them can end elsewhere than where it was parsed to.
 */
export class RuntimeAgent extends Agent {
  readonly #upstream: Upstream;
  #isDestroyed = false;

  constructor(upstream: Upstream) {
    super({ keepAlive: true, maxFreeSockets: maxIdle, scheduling: "lifo", timeout: idleTimeoutMs });
    this.#upstream = upstream;
  }

  override createConnection(_options: object, onConnection?: OnConnection): null {
    this.#dial(performance.now() + dialTimeoutMs, onConnection ?? (() => undefined));
    return null;
  }

  /** Ends its connections, and does not dial any longer. */
  override destroy(): void {
    this.#isDestroyed = true;
    super.destroy();
  }

  override getName(): string {
    return "runtime";
  }

  /** @param deadlineMs of a clock that never goes back */
  #dial(deadlineMs: number, onConnection: OnConnection): void {
    const { host, port } = this.#upstream;
    const socket = new RuntimeSocket().setNoDelay().connect({ host, port });
    const onError = (): void => {
      if (!this.#isDestroyed && performance.now() < deadlineMs)
        setTimeout(() => this.#dial(deadlineMs, onConnection), dialIntervalMs);
      else onConnection(new RuntimeDownError(`nothing accepts connections at ${host}:${port}`), socket);
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      onConnection(null, socket);
    });
  }
}
