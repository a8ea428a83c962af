import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { request as requestTls } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type OperatorListen, openOperatorListener } from "../../../src/local/operator-listener.ts";
import { RuntimeAgent } from "../../../src/local/runtime-agent.ts";
import { type Certificates, makeCertificates } from "../../support/client-certificates.ts";
import { freePort } from "../../support/mesh-process.ts";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "waggle-operator-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a listener in front of a server that takes the runtime's place. */
async function open(
  listen: OperatorListen,
  respond: (incoming: IncomingMessage, outgoing: ServerResponse) => void = (incoming, outgoing) =>
    outgoing.end(`${incoming.headers.authorization ?? "none"} at ${incoming.headers.host}`),
): Promise<void> {
  const runtime = createServer(respond);
  await new Promise<void>((resolve) => runtime.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    runtime.closeAllConnections();
    runtime.close();
  });
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: (runtime.address() as AddressInfo).port });
  closing.push(() => agent.destroy());
  const control = { host: "192.0.2.1", port: 8787 };
  const upstream = { agent, entryKey: "k", operatorToken: "operator", control, log: () => undefined };
  const listener = await openOperatorListener(listen, upstream);
  closing.push(() => listener.close());
}

/** The body of the response over a Unix socket. */
function ask(socketPath: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: "/info", headers }, async (response) => {
      resolve((await response.toArray()).join(""));
    });
    sent.on("error", reject).end();
  });
}

test("[A86] a client of the socket is an operator, unless it sends credentials of its own", async () => {
  const path = join(makeFolder(), "mesh.sock");
  await open({ kind: "socket", path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await ask(path)).toBe("Bearer operator at 192.0.2.1:8787");
  expect(await ask(path, { authorization: "Bearer viewer" })).toBe("Bearer viewer at 192.0.2.1:8787");
});

test("[A86] a socket that no process listens on is replaced, and another file is not", async () => {
  const folder = makeFolder();
  const path = join(folder, "mesh.sock");
  const earlier = createTcpServer();
  await new Promise<void>((resolve) => earlier.listen(path, resolve));
  const taken = /cannot open the socket .*EADDRINUSE.*; choose another --socket/;
  await expect(open({ kind: "socket", path })).rejects.toThrow(taken);
  // As after a kill: the close removes one name of the socket, and this one stays.
  const stale = join(folder, "stale.sock");
  linkSync(path, stale);
  await new Promise((resolve) => earlier.close(resolve));
  await open({ kind: "socket", path: stale });
  expect(await ask(stale)).toBe("Bearer operator at 192.0.2.1:8787");
  const file = join(folder, "file");
  writeFileSync(file, "data");
  await expect(open({ kind: "socket", path: file })).rejects.toThrow(taken);
});

test("[A91] a page of another site is no operator by the certificate of its browser", async () => {
  const path = join(makeFolder(), "mesh.sock");
  await open({ kind: "socket", path });
  for (const site of ["cross-site", "same-site"]) {
    expect(await ask(path, { "sec-fetch-site": site })).toBe("none at 192.0.2.1:8787");
  }
  for (const site of ["none", "same-origin"]) {
    expect(await ask(path, { "sec-fetch-site": site })).toBe("Bearer operator at 192.0.2.1:8787");
  }
});

test("[O250] the 408 of the runtime, before the body is complete, ends the connection", async () => {
  const path = join(makeFolder(), "mesh.sock");
  await open({ kind: "socket", path }, (incoming, outgoing) => {
    incoming.once("data", () => outgoing.writeHead(408, { "content-length": "2" }).end("no"));
  });
  const socket = connect({ path });
  closing.push(() => socket.destroy());
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes;
  });
  const ended = new Promise((resolve) => socket.once("end", resolve));
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  await ended;
  expect(received).toMatch(/^HTTP\/1\.1 408 [\s\S]*\r\nconnection: close\r\n[\s\S]*\r\nno$/i);
});

test("[A92] the address in responses is that of the control API's own port", async () => {
  const folder = makeFolder();
  const { server, ca } = makeCertificates(folder);
  const path = join(folder, "mesh.sock");
  await open({ kind: "socket", path });
  // What the Docker CLI sends over a socket.
  expect(await ask(path, { host: "api.moby.localhost" })).toBe("Bearer operator at 192.0.2.1:8787");
  const port = await freePort();
  await open({ kind: "tls", address: "127.0.0.1", port, certFile: server.cert, keyFile: server.key });
  for (const host of ["localhost", `127.0.0.1:${port}`, `[::1]:${port}`]) {
    const at = host.replace(`:${port}`, "");
    expect(await askTls(port, ca, undefined, { host })).toBe(`none at ${at}:8787`);
  }
});

test("[A87] over TLS a client is an operator by its certificate, and without an authority by its token only", async () => {
  const { ca, server, client, foreign } = makeCertificates(makeFolder());
  const tls = { kind: "tls", address: "127.0.0.1", certFile: server.cert, keyFile: server.key } as const;
  const [byToken, byCertificate] = [await freePort(), await freePort()];
  await open({ ...tls, port: byToken });
  await open({ ...tls, port: byCertificate, clientCaFile: ca });
  expect(await askTls(byToken, ca)).toBe("none at 127.0.0.1:8787");
  expect(await askTls(byCertificate, ca, client)).toBe("Bearer operator at 127.0.0.1:8787");
  await expect(askTls(byCertificate, ca)).rejects.toThrow();
  await expect(askTls(byCertificate, ca, foreign)).rejects.toThrow();
  await expect(open({ ...tls, port: byToken, certFile: "/nonexistent" })).rejects.toThrow(
    "cannot read --tls-cert /nonexistent: there is no such file",
  );
});

function askTls(
  port: number,
  ca: Certificates["ca"],
  client?: Certificates["client"],
  headers: Record<string, string> = {},
): Promise<string> {
  const files = client && { cert: readFileSync(client.cert), key: readFileSync(client.key) };
  const options = {
    host: "127.0.0.1",
    port,
    path: "/info",
    ca: readFileSync(ca),
    servername: "",
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const sent = requestTls({ ...options, ...files, headers }, async (response) =>
      resolve((await response.toArray()).join("")),
    );
    sent.on("error", reject).end();
  });
}
