// Runs in a Node from which it removes what older releases lack, and prints what each call gives in Node itself and
// as src/package/older-node.ts adds it.

import http, { type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import stream from "node:stream";
import { text } from "node:stream/consumers";
import tls from "node:tls";

type Results = Readonly<Record<string, unknown>>;

const native = await results();
for (const [owner, names] of [
  [Promise, ["withResolvers"]],
  [Map, ["groupBy"]],
  [URL, ["parse"]],
  [AbortSignal, ["any"]],
  [stream, ["duplexPair"]],
  [tls, ["getCACertificates", "setDefaultCACertificates"]],
] as const) {
  for (const name of names) Object.assign(owner, { [name]: undefined });
}
// A server without the option; the call without options shows whether there is one.
const { createServer } = http;
Object.assign(http, {
  createServer: (options?: http.ServerOptions & { shouldUpgradeCallback?: unknown }) => {
    const { shouldUpgradeCallback: _, ...others } = options ?? {};
    return options === undefined ? {} : createServer(others);
  },
});
await import("../../src/package/older-node.ts");
console.log(JSON.stringify([native, await results()]));

async function results(): Promise<Results> {
  return {
    resolvers: await settled(),
    groups: [...Map.groupBy(["a", "bb", "cc"], (word) => word.length)],
    urls: ["http://a/b", "nothing"].map((address) => URL.parse(address)?.href ?? null),
    signals: await aborted(),
    pair: await paired(),
    trusted: tls.getCACertificates("default").length > 0,
    upgrades: await upgrades(),
  };
}

async function settled(): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<string>();
  resolve("resolved");
  return await promise;
}

async function aborted(): Promise<unknown> {
  const first = new AbortController();
  const any = AbortSignal.any([new AbortController().signal, first.signal]);
  const before = any.aborted;
  first.abort("why");
  const late = AbortSignal.any([AbortSignal.abort("early"), first.signal]);
  return [before, any.aborted, any.reason, late.reason];
}

/** 1 MiB in each direction, which waits for its reader. */
async function paired(): Promise<unknown> {
  const [one, other] = stream.duplexPair();
  const bytes = "x".repeat(1024 ** 2);
  one.end(bytes);
  other.end(bytes);
  return [(await text(one)).length, (await text(other)).length];
}

/** What a server makes of a request for h2c, and of one for a WebSocket. */
async function upgrades(): Promise<unknown> {
  const options = {
    shouldUpgradeCallback: (incoming: IncomingMessage) => incoming.headers.upgrade === "websocket",
  };
  const server = http.createServer(options as http.ServerOptions);
  server.on("request", (_, response) => response.end("a response"));
  server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const answers = [];
  for (const protocol of ["h2c", "websocket"]) {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`);
    const answer = await text(socket);
    answers.push([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status));
  }
  server.close();
  return answers;
}
