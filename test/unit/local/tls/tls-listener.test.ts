// A listener with TLS: real handshakes against certificates in a folder that changes.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { get, Agent as HttpsAgent } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { DescriptorBudget } from "../../../../src/local/descriptor-budget.ts";
import { Listener, type ListenerOptions } from "../../../../src/local/listener.ts";
import { listenerProfile } from "../../../../src/local/listener-profile.ts";
import { RuntimeAgent } from "../../../../src/local/runtime-agent.ts";
import { CertificateStore } from "../../../../src/local/tls/certificate-store.ts";
import { readUsedCertificates, usedCertificatesRecord } from "../../../../src/local/tls/used-certificates.ts";
import { type CertificateFiles, TestAuthority } from "../../../support/certificate.ts";
import { until } from "../../../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));
const authority = new TestAuthority(folder);
const first = authority.sign("first", "DNS:a.test,DNS:*.apps.test");
const renewed = authority.sign("renewed", "DNS:a.test,DNS:b.test");

/** Of the same names as the first. */
const again = authority.sign("again", "DNS:a.test,DNS:*.apps.test");

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let folders = 0;
function newFolder(): string {
  folders += 1;
  const path = join(folder, `pairs-${folders}`);
  mkdirSync(path);
  return path;
}

function put({ certFile, keyFile }: CertificateFiles, into: string): void {
  copyFileSync(keyFile, join(into, "site.key"));
  copyFileSync(certFile, join(into, "site.crt"));
}

type Place = { readonly listener: Listener; readonly log: string[]; readonly upstream: Server };

async function serve(path: string, options: ListenerOptions = {}): Promise<Place> {
  const upstream = createServer((request, response) => {
    const [, scheme] = / (https?) \S+$/.exec(String(request.headers["x-waggle-entry"])) ?? [];
    response.end(`${scheme} ${request.url}`);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  closing.push(() => upstream.close());
  closing.push(() => upstream.closeAllConnections());
  const log: string[] = [];
  const store = new CertificateStore([path], (line) => log.push(line));
  closing.push(() => store.close());
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: (upstream.address() as AddressInfo).port });
  closing.push(() => agent.destroy());
  const profile = listenerProfile({ role: "edge", nodeId: null, published: null }, "k", "https");
  const listener = await Listener.open("127.0.0.1", 0, profile, agent, { tls: store, ...options });
  closing.push(() => listener.close(0));
  return { listener, log, upstream };
}

type Answer = { readonly text: string; readonly serial: string; readonly protocol: string };

function ask(port: number, servername: string, agent: HttpsAgent | false = false): Promise<Answer> {
  const options = { host: "127.0.0.1", port, servername, agent, path: "/p", rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    get(options, (response: IncomingMessage) => {
      const socket = response.socket as TLSSocket;
      const { serialNumber: serial } = socket.getPeerCertificate();
      const protocol = socket.getProtocol() ?? "";
      let text = "";
      response.on("data", (bytes) => {
        text += bytes;
      });
      response.on("end", () => resolve({ text, serial, protocol }));
    }).on("error", reject);
  });
}

test("[U495] a port with TLS serves HTTP as of the scheme https, from TLS 1.2 on", async () => {
  const path = newFolder();
  put(first, path);
  const { listener } = await serve(path);
  expect(await ask(listener.port, "a.test")).toMatchObject({ text: "https /p", protocol: "TLSv1.3" });
  const old = connectTls({
    host: "127.0.0.1",
    port: listener.port,
    rejectUnauthorized: false,
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  await expect(new Promise((_, reject) => old.once("error", reject))).rejects.toThrow(/protocol|version/i);
});

test("[U495] a client that sends no handshake is closed in the time of a request head, and counts until then", async () => {
  const path = newFolder();
  put(first, path);
  const budget = new DescriptorBudget(null);
  const timeouts = { headMs: 100, keepAliveMs: 1_000, clientMs: 1_000 };
  const { listener } = await serve(path, { budget, timeouts });
  const silent = connect(listener.port, "127.0.0.1");
  silent.resume();
  silent.on("error", () => undefined);
  await new Promise((resolve) => silent.once("close", resolve));
  const plain = connect(listener.port, "127.0.0.1", () => plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  plain.on("error", () => undefined);
  plain.resume();
  await new Promise((resolve) => plain.once("close", resolve));
  expect((await ask(listener.port, "a.test")).text).toBe("https /p");
});

test("[U495] a WebSocket passes a port with TLS", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, upstream } = await serve(path);
  const server = new WebSocketServer({ server: upstream });
  closing.push(() => server.close());
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(`echo ${data}`)));
  const socket = new WebSocket(`wss://127.0.0.1:${listener.port}/`, { rejectUnauthorized: false });
  closing.push(() => socket.terminate());
  const message = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
  socket.once("open", () => socket.send("hello"));
  expect(await message).toBe("echo hello");
});

/** A connection that the listener has accepted, before its TLS handshake. */
async function connectRaw(listener: Listener): Promise<Socket> {
  const raw = connect(listener.port, "127.0.0.1");
  closing.push(() => raw.destroy());
  raw.on("error", () => undefined);
  await new Promise<void>((resolve) => raw.once("connect", resolve));
  // Connections are accepted in their order.
  await ask(listener.port, "a.test");
  return raw;
}

test("[U504] a connection whose handshake is under way at a drain is served, and closed by its response", async () => {
  const path = newFolder();
  put(first, path);
  const { listener } = await serve(path);
  const socket = await connectRaw(listener);
  const drained = listener.drain(30_000);
  const secured = connectTls({ socket, rejectUnauthorized: false, servername: "a.test" });
  let received = "";
  secured.on("data", (bytes) => {
    received += bytes;
  });
  const ended = new Promise((resolve) => secured.once("end", resolve));
  secured.write("GET /late HTTP/1.1\r\nHost: a.test\r\n\r\n");
  await ended;
  expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*?connection: close\r\n/i);
  expect(received).toContain("https /late");
  secured.destroy();
  await drained;
});

test.each(["drain", "close"] as const)(
  "[U504] an unfinished handshake ends by the end of a %s",
  async (how) => {
    const path = newFolder();
    put(first, path);
    const timeouts = { headMs: 600_000, keepAliveMs: 600_000, clientMs: 600_000 };
    const { listener } = await serve(path, { timeouts });
    const raw = await connectRaw(listener);
    const closed = new Promise((resolve) => raw.once("close", resolve));
    raw.resume();
    await listener[how](how === "drain" ? 50 : 600_000);
    await closed;
  },
);

test("[U494] a renewed certificate is used without a restart, and open connections stay", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, log } = await serve(path);
  const keptAlive = new HttpsAgent({ keepAlive: true, maxSockets: 1 });
  closing.push(() => keptAlive.destroy());
  const before = await ask(listener.port, "a.test", keptAlive);
  put(renewed, path);
  await until("the renewed certificate", async () => {
    const after = await ask(listener.port, "a.test");
    return after.serial !== before.serial;
  });
  expect((await ask(listener.port, "a.test", keptAlive)).serial).toBe(before.serial);
  expect(log.at(-1)).toMatch(/^uses \S+site\.crt for a\.test, b\.test until /);
});

test("[U494] a broken file is refused with the reason, and the certificate read before stays in use", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, log } = await serve(path);
  const { serial } = await ask(listener.port, "a.test");
  writeFileSync(join(path, "site.crt"), "-----BEGIN CERTIFICATE-----\nhalf");
  await until("the refusal", () => log.some((line) => /site\.crt is not used: it is cut off/.test(line)));
  expect(log.join("\n")).toContain("the certificate read before stays in use");
  expect((await ask(listener.port, "a.test")).serial).toBe(serial);
});

test("[U494] links in a circle and pipes beside a certificate are refused with the reason", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, log } = await serve(path);
  symlinkSync("circle.pem", join(path, "circle.pem"));
  execFileSync("mkfifo", [join(path, "pipe.pem")]);
  await until("both refusals", () =>
    [/circle\.pem is not used: ELOOP/, /pipe\.pem is not used: it is no regular file/].every((refusal) =>
      log.some((line) => refusal.test(line)),
    ),
  );
  expect((await ask(listener.port, "a.test")).serial).toBeTruthy();
});

test("[U493] a name without a certificate gets the default one, and the log says so once", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, log } = await serve(path);
  const { serial } = await ask(listener.port, "a.test");
  for (const _ of [1, 2]) expect((await ask(listener.port, "nothing.test")).serial).toBe(serial);
  expect(log.filter((line) => line.includes('no certificate is for "nothing.test"'))).toHaveLength(1);
});

test("[U494] without a certificate that can be used the store says why", () => {
  const path = newFolder();
  copyFileSync(first.certFile, join(path, "site.crt"));
  const store = new CertificateStore([path], () => undefined);
  closing.push(() => store.close());
  expect(store.problem).toMatch(/^no certificate of \S+ can be used: \S+site\.crt: no key here belongs to/);
});

test("[U494] certificates in a folder that cannot be read any more stay in use", async () => {
  const path = newFolder();
  const inside = join(path, "site");
  mkdirSync(inside);
  put(first, inside);
  const { listener, log } = await serve(path);
  const { serial } = await ask(listener.port, "a.test");
  rmSync(inside, { recursive: true });
  symlinkSync("site", inside);
  await until("the refusal", () => log.some((line) => /\/site is not used: ELOOP/.test(line)));
  expect((await ask(listener.port, "a.test")).serial).toBe(serial);
});

test("[U494] an emptied file is refused with a reason", async () => {
  const path = newFolder();
  put(first, path);
  const { listener, log } = await serve(path);
  const { serial } = await ask(listener.port, "a.test");
  writeFileSync(join(path, "site.crt"), "");
  await until("the refusal", () =>
    log.some((line) =>
      /site\.crt is not used: it has no certificate any more; the certificate read/.test(line),
    ),
  );
  expect((await ask(listener.port, "a.test")).serial).toBe(serial);
});

test("[U551] what another process has recorded, and this one cannot use, has names, a reason and a way out", async () => {
  const path = newFolder();
  put(first, path);
  const state = newFolder();
  const before = new CertificateStore([path], () => undefined);
  closing.push(() => before.close());
  before.recordIn(usedCertificatesRecord(state, () => undefined));
  const record = join(state, "certificates.json");
  expect(statSync(record).mode & 0o777).toBe(0o600);
  expect(readFileSync(record, "utf8")).not.toContain("PRIVATE KEY");
  const lossNow = (): string | null => {
    const store = new CertificateStore([path], () => undefined);
    store.close();
    return store.lossOf(readUsedCertificates(state));
  };
  expect(lossNow()).toBeNull();
  chmodSync(join(path, "site.key"), 0o644);
  expect(lossNow()).toMatch(
    /^cannot use \S+site\.crt, the certificate in use for a\.test, \*\.apps\.test: no key here belongs to this certificate; \S+site\.key: every user .* can read its key: .*; repair the file, or remove it/,
  );
  rmSync(join(path, "site.crt"));
  expect(lossNow()).toBeNull();
});

test("[U608] a certificate whose names a later one beside it has is not in use, and may become unusable", async () => {
  const path = newFolder();
  const state = newFolder();
  for (const [folder, pair] of [
    ["2025", first],
    ["2026", again],
  ] as const) {
    mkdirSync(join(path, folder));
    put(pair, join(path, folder));
  }
  const store = new CertificateStore([path], () => undefined);
  closing.push(() => store.close());
  store.recordIn(usedCertificatesRecord(state, () => undefined));
  const used = readUsedCertificates(state);
  const files = ["2025", "2026"].map((name) => join(path, name, "site.crt"));
  const [left = "", ...others] = files.filter((file) => !used.some(({ source }) => source === file));
  expect([used.length, others]).toEqual([1, []]);
  const lossAfter = (file: string): string | null => {
    writeFileSync(file, "");
    const next = new CertificateStore([path], () => undefined);
    next.close();
    return next.lossOf(used);
  };
  expect(lossAfter(left)).toBeNull();
  expect(lossAfter(used[0]?.source ?? "")).toContain("/site.crt, the certificate in use for a.test");
});

test("[U551] a record that cannot be read has no certificates", () => {
  const state = newFolder();
  writeFileSync(join(state, "certificates.json"), '[{"source":1}]');
  expect(readUsedCertificates(state)).toEqual([]);
  expect(readUsedCertificates(join(state, "missing"))).toEqual([]);
});
