// The side of the process that serves: it gets its listening sockets from the outer process, which also decides when
// it is replaced.

import type { HandOver } from "../agent/hand-over.ts";

/** `first`, or `successor` while another process serves the same sockets; absent: there is no outer process. */
export const holderVariable = "WAGGLE_HOLDER";

/** From the process that serves. */
export type HeldMessage =
  | { readonly isPrepared: true }
  | { readonly isServing: true }
  /** What it cannot do, and why: `cannot serve 0.0.0.0:443: …`. */
  | { readonly refused: string }
  | { readonly hasEnded: true };

/** To the process that serves. */
export type HolderMessage =
  /** Sent after all sockets. */
  { readonly start: true } | { readonly handOver: true } | { readonly isAlone: true };

export type HeldProcess = {
  /** Resolves when all sockets have come that were open before this process, and it may use the state folder. */
  readonly hasSockets: Promise<void>;
  readonly handOver: HandOver;
  /** Ends the connection to the outer process, so that this one can exit. */
  readonly release: () => void;
};

/** True in a process that an outer one has started. */
export function isHeld(env: NodeJS.ProcessEnv = process.env): boolean {
  return env[holderVariable] !== undefined && process.send !== undefined;
}

/**
 * Receives messages from now on. What receives the sockets must exist in the same turn, because messages that have come
 * already are delivered once.
 *
 * @param drainMs how long connections may go on after this process was replaced, milliseconds
 */
export function heldProcess(drainMs: number): HeldProcess {
  const isSuccessor = process.env[holderVariable] === "successor";
  // Not for the processes that this one starts.
  delete process.env[holderVariable];
  const requested = new AbortController();
  const alone = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  if (!isSuccessor) alone.resolve();
  process.on("message", (message: HolderMessage) => {
    if ("handOver" in message) requested.abort();
    if ("isAlone" in message) alone.resolve();
    if ("start" in message) started.resolve();
  });
  // The outer process was killed: without it the sockets have no keeper.
  const stop = (): boolean => process.kill(process.pid, "SIGTERM");
  process.once("disconnect", stop);
  const say = (message: HeldMessage): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  return {
    hasSockets: started.promise,
    release: () => {
      process.off("disconnect", stop);
      if (process.connected) process.disconnect();
    },
    handOver: {
      isSuccessor,
      prepared: () => say({ isPrepared: true }),
      serving: () => say({ isServing: true }),
      refused: (why) => say({ refused: why }),
      isAlone: alone.promise,
      requested: requested.signal,
      ended: () => say({ hasEnded: true }),
      drainMs,
    },
  };
}
