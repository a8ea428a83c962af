// The listening sockets of a machine, kept open by a process that serves none of them. The process that serves a
// socket passes it to its parent; a process that follows it gets it from there. Connections that come meanwhile wait
// in the kernel's queue of the socket, and none is refused or reset.

import type { ChildProcess } from "node:child_process";
import type { SocketHandle } from "./listening-socket.ts";

/** Keeps sockets for a process that serves them. */
export type SocketKeeper = {
  /** @param key the address and port of the socket */
  readonly keep: (key: string, handle: SocketHandle) => void;
  /** Closes a socket that is no longer served. */
  readonly drop: (key: string) => void;
};

/** A message between the processes; `keep` and `socket` come with the handle of the socket. */
type SocketMessage =
  | { readonly keep: string }
  | { readonly drop: string }
  | { readonly want: string }
  | { readonly socket: string }
  /** The reply to `want` if that socket is not kept. */
  | { readonly missing: string };

/** The key of a socket. */
export function socketKey(address: string, port: number): string {
  return `${address} ${port}`;
}

/**
 * The sockets that this process keeps for its children.
 *
 * @see docs/decisions/0126-sockets-outlive-processes.md
 */
export class KeptSockets implements SocketKeeper {
  readonly #parent: SocketKeeper | null;
  readonly #kept = new Map<string, { readonly handle: SocketHandle; readonly from: ChildProcess | null }>();
  readonly #children = new Set<ChildProcess>();

  /** @param parent keeps them as well; null: this process is the outermost */
  constructor(parent: SocketKeeper | null) {
    this.#parent = parent;
  }

  /** Passes all sockets to a child, and keeps those that it opens. */
  attach(child: ChildProcess): void {
    this.#children.add(child);
    for (const [key, { handle }] of this.#kept) sendSocket(child, key, handle);
    child.on("message", (message, handle) => {
      if (!isSocketMessage(message)) return;
      const socket = handle as unknown as SocketHandle | undefined;
      if ("want" in message) this.#give(child, message.want);
      else if (!this.#children.has(child)) socket?.close();
      else if ("keep" in message && socket !== undefined) this.#store(message.keep, socket, child);
      else if ("drop" in message) this.drop(message.drop);
    });
    child.once("exit", () => this.#children.delete(child));
  }

  /** Takes no further sockets from a child, and closes none for it: another one serves them. */
  detach(child: ChildProcess): void {
    this.#children.delete(child);
  }

  /** Detaches a child that did not become ready, and closes the sockets that it has opened. */
  reject(child: ChildProcess): void {
    this.detach(child);
    for (const [key, { from }] of this.#kept) if (from === child) this.drop(key);
  }

  keep(key: string, handle: SocketHandle): void {
    this.#store(key, handle, null);
  }

  drop(key: string): void {
    this.#kept.get(key)?.handle.close();
    this.#kept.delete(key);
    this.#parent?.drop(key);
  }

  /** Closes all sockets here; another process keeps them. */
  release(): void {
    for (const { handle } of this.#kept.values()) handle.close();
    this.#kept.clear();
    this.#children.clear();
  }

  dropAll(): void {
    for (const key of this.#kept.keys()) this.drop(key);
  }

  #give(child: ChildProcess, key: string): void {
    const handle = this.#children.has(child) ? this.#kept.get(key)?.handle : undefined;
    if (handle !== undefined) sendSocket(child, key, handle);
    else if (child.connected) child.send({ missing: key } satisfies SocketMessage, () => undefined);
  }

  #store(key: string, handle: SocketHandle, from: ChildProcess | null): void {
    this.#kept.get(key)?.handle.close();
    this.#kept.set(key, { handle, from });
    for (const child of this.#children) if (child !== from) sendSocket(child, key, handle);
    // What comes from the parent is there already.
    if (from !== null) this.#parent?.keep(key, handle);
  }
}

/** The sockets of this process's parent, for a process that serves them. */
export class InheritedSockets implements SocketKeeper {
  readonly #untaken = new Map<string, SocketHandle>();
  readonly #wanted = new Map<string, (handle: SocketHandle | null) => void>();

  /** Receives sockets until the process ends. Call it before the first message is read. */
  constructor() {
    process.on("message", (message, handle) => {
      if (!isSocketMessage(message)) return;
      if ("missing" in message) this.#wanted.get(message.missing)?.(null);
      if ("socket" in message && handle !== undefined)
        this.#receive(message.socket, handle as unknown as SocketHandle);
    });
    process.once("disconnect", () => {
      for (const give of this.#wanted.values()) give(null);
    });
  }

  get hasUntaken(): boolean {
    return this.#untaken.size > 0;
  }

  isUntaken(key: string): boolean {
    return this.#untaken.has(key);
  }

  /** The socket that is open at an address; null if no socket is open there. */
  take(key: string): SocketHandle | null {
    const handle = this.#untaken.get(key) ?? null;
    this.#untaken.delete(key);
    return handle;
  }

  /** The socket that was opened or taken here, for another server of this process; null if the parent has none. */
  async reclaim(key: string): Promise<SocketHandle | null> {
    if (!process.connected) return null;
    const { promise, resolve } = Promise.withResolvers<SocketHandle | null>();
    this.#wanted.set(key, resolve);
    process.send?.({ want: key } satisfies SocketMessage);
    return promise.finally(() => this.#wanted.delete(key));
  }

  /** Closes those that were not taken, because nothing is published there any more. */
  dropUntaken(): void {
    for (const [key, handle] of this.#untaken) {
      handle.close();
      this.drop(key);
    }
    this.#untaken.clear();
  }

  keep(key: string, handle: SocketHandle): void {
    sendSocket(process, key, handle, "keep");
  }

  drop(key: string): void {
    if (process.connected) process.send?.({ drop: key } satisfies SocketMessage);
  }

  #receive(key: string, handle: SocketHandle): void {
    const give = this.#wanted.get(key);
    if (give !== undefined) {
      give(handle);
      return;
    }
    this.#untaken.get(key)?.close();
    this.#untaken.set(key, handle);
  }
}

/** Passes the sockets that come from this process's parent to its children, and theirs to the parent. */
export function relayedSockets(): KeptSockets {
  const inherited = new InheritedSockets();
  const kept = new KeptSockets(inherited);
  process.on("message", (message) => {
    if (!isSocketMessage(message) || !("socket" in message)) return;
    const handle = inherited.take(message.socket);
    if (handle !== null) kept.keep(message.socket, handle);
  });
  return kept;
}

function sendSocket(
  to: Pick<ChildProcess, "connected"> & { readonly send?: unknown },
  key: string,
  handle: SocketHandle,
  as: "keep" | "socket" = "socket",
): void {
  if (!to.connected) return;
  // The types of Node name its servers only, which the other process would begin to accept from.
  const { send } = to as { readonly send: (message: object, handle: unknown, done: () => void) => void };
  send.call(to, { [as]: key }, handle, () => undefined);
}

/** True for a message about sockets. */
export function isSocketMessage(message: unknown): message is SocketMessage {
  if (typeof message !== "object" || message === null) return false;
  return ["keep", "drop", "want", "socket", "missing"].some((kind) => kind in message);
}
