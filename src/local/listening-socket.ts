// A listening socket of this machine as a handle: how a server listens on one, and how another process gets it.

import type { Server } from "node:net";
import { listenBacklog } from "../agent/listen-backlog.ts";

/**
 * What Node passes between processes for a listening socket. A process that only holds it accepts nothing from it.
 *
 * @see https://nodejs.org/api/net.html#serverlistenhandle-backlog-callback
 */
export type SocketHandle = { readonly fd: number; readonly close: () => void };

/** Where to listen. */
export type SocketPlace = {
  readonly address: string;
  readonly port: number;
  /** A socket that is open there already; null: a new one. */
  readonly handle: SocketHandle | null;
};

/**
 * Makes a server listen. Rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES). An error without a handler
 * would end the process.
 *
 * @param onError receives an error of the open socket, once in a row; the socket stays open
 */
export async function listenAt(
  server: Server,
  { address, port, handle }: SocketPlace,
  onError: ((error: Error) => void) | undefined,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const opened = (): void => {
      server.off("error", reject);
      resolve();
    };
    if (handle === null) server.listen({ host: address, port, backlog: listenBacklog }, opened);
    else server.listen(handle, listenBacklog, opened);
  });
  let reported = "";
  server.on("error", (error) => {
    if (error.message !== reported) onError?.(error);
    reported = error.message;
  });
}

/** The socket of a listening server. Node has no other name for it than this property, which `listen` accepts. */
export function handleOf(server: Server): SocketHandle {
  const { _handle: handle } = server as unknown as { readonly _handle: SocketHandle | null };
  if (handle === null) throw new Error("the server does not listen");
  return handle;
}

const bindErrorReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process on this machine listens there",
  EACCES: "this user may not listen on ports below 1024, which takes root or CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "this machine does not have that address",
};

/** Why a socket cannot be opened. */
export function openFailure(error: NodeJS.ErrnoException): string {
  return bindErrorReasons[error.code ?? ""] ?? error.code ?? error.message;
}
