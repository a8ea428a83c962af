// Processes that serve the sockets of their parent, as those of a balancer do.

import { type ChildProcess, fork } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { isSocketMessage, KeptSockets } from "../../../src/local/kept-sockets.ts";
import type { DesiredListener } from "../../../src/local/published-ports.ts";
import { TestAuthority } from "../../support/certificate.ts";
import type { PortsReport } from "../../support/ports-program.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-kept-"));
const certificates = join(folder, "pairs");
const { certFile, keyFile } = new TestAuthority(folder).sign("a", "DNS:a.test");
mkdirSync(certificates);
copyFileSync(certFile, join(certificates, "site.crt"));
copyFileSync(keyFile, join(certificates, "site.key"));
const children: ChildProcess[] = [];
let kept = new KeptSockets(null);
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  kept.dropAll();
  kept = new KeptSockets(null);
});
afterAll(() => rmSync(folder, { recursive: true }));

const program = new URL("../../support/ports-program.ts", import.meta.url).pathname;

function start(): ChildProcess {
  const child = fork(program, [certificates]);
  children.push(child);
  kept.attach(child);
  return child;
}

function serve(child: ChildProcess, ...desired: DesiredListener[]): Promise<PortsReport> {
  const report = new Promise<PortsReport>((resolve) => {
    const receive = (message: object): void => {
      if (isSocketMessage(message)) return;
      child.off("message", receive);
      resolve(message as PortsReport);
    };
    child.on("message", receive);
  });
  child.send({ desired });
  return report;
}

/** A port that is free: programs of this test alone use it then. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listener = (key: string, port: number, isTls = false): DesiredListener => ({
  key,
  address: "127.0.0.1",
  port,
  identity: { role: "edge", nodeId: null, published: port },
  owner: "balancer",
  ...(isTls && { isTls }),
});

test("[U505] a process that has no certificate for an open port takes over nothing, and says why", async () => {
  const [plain, secured] = [listener("plain", await freePort()), listener("tls", await freePort(), true)];
  expect(await serve(start(), plain, secured)).toMatchObject({ problem: null, open: ["plain", "tls"] });
  chmodSync(join(certificates, "site.key"), 0o644);
  const refused = await serve(start(), plain, secured);
  chmodSync(join(certificates, "site.key"), 0o600);
  expect(refused.open).toEqual([]);
  expect(refused.problem).toMatch(
    /^cannot serve 127\.0\.0\.1:\d+: no certificate of .*every user .*can read/,
  );
  expect(await serve(start(), plain, secured)).toMatchObject({ problem: null, open: ["plain", "tls"] });
});

test("[U505] a port that no other process serves is no reason to refuse", async () => {
  const secured = listener("tls", await freePort(), true);
  chmodSync(join(certificates, "site.key"), 0o644);
  const report = await serve(start(), secured);
  chmodSync(join(certificates, "site.key"), 0o600);
  expect(report).toMatchObject({ problem: null, open: [] });
});

test("[U507] a port whose listener changes stays open, and refuses no client", async () => {
  const port = await freePort();
  const child = start();
  expect((await serve(child, listener("default", port))).open).toEqual(["default"]);
  for (const key of ["published", "default", "published"]) {
    const report = await serve(child, listener(key, port));
    expect(report).toMatchObject({ open: [key], log: [] });
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.destroy();
  }
  // The next process gets the socket as well.
  expect((await serve(start(), listener("published", port))).open).toEqual(["published"]);
});
