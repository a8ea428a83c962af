// The words for a failed connection, by real servers; test/e2e/wrong-url.test.ts has those of every verb.

import { createServer } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { expect, test } from "vitest";
import { connectionFailure } from "../../../src/cli/connection-failure.ts";
import { type Backend, listening, refusing } from "../../support/backends.ts";
import { selfSignedCertificate } from "../../support/certificate.ts";

const tls = (options: TlsOptions) => listening(createTlsServer(options));

/** A server that sends bytes as soon as a client connects. */
const sending = (bytes: string) =>
  listening(createServer((socket) => void socket.on("error", () => {}).write(bytes)));

test.each<[string, () => Promise<Backend>, string]>([
  ["no port", refusing, "connection refused"],
  ["another protocol", () => sending("SSH-2.0-x\r\n"), "the server there does not speak TLS"],
  [
    "no certificate for the name",
    () => tls({}),
    "the server there has no certificate for this name (ssl/tls alert handshake failure)",
  ],
  [
    "an old TLS",
    () =>
      tls({
        ...selfSignedCertificate(),
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      }),
    "the TLS handshake failed (tlsv1 alert protocol version)",
  ],
  [
    "its own authority",
    () => tls(selfSignedCertificate()),
    "its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)",
  ],
])("[L201] a server with %s is named as such", async (_, start, reason) => {
  const server = await start();
  const error = await fetch(server.origin.replace("http:", "https:")).catch((failure: unknown) => failure);
  expect(connectionFailure(error, 1_000).reason).toBe(reason);
  await server.stop();
});
