// What a server needs to speak TLS with certificates that may change while it runs.

import type { Server, TlsOptions } from "node:tls";

export type ServerTls = {
  /** For the server's creation. */
  readonly options: Readonly<TlsOptions>;
  /** Gives the server the certificate for clients that name no host, now and when it changes, until it closes. */
  readonly follow: (server: Server) => void;
};
