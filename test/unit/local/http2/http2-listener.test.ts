// Listeners with TLS and clients of HTTP/2: Node's, and frames by hand.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { connect as connectTls, type Server } from "node:tls";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { DescriptorBudget } from "../../../../src/local/descriptor-budget.ts";
import { maxUnreadFrames } from "../../../../src/local/http2/stream-exchange.ts";
import { Listener, type ListenerOptions } from "../../../../src/local/listener.ts";
import { listenerProfile, sealFacts } from "../../../../src/local/listener-profile.ts";
import { RuntimeAgent } from "../../../../src/local/runtime-agent.ts";
import { selfSignedCertificate } from "../../../support/certificate.ts";
import {
  errorCodes,
  FrameClient,
  frame,
  frameFlags,
  frameTypes,
  hpackText,
  literalBlock,
  requestFields,
  settingsFrame,
  uint32,
} from "../../../support/http2-frames.ts";
import { until } from "../../../support/until.ts";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let certificate: { readonly key: string; readonly cert: string };
beforeAll(() => {
  certificate = selfSignedCertificate();
});

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** A listener with TLS in front of a server that takes the place of the runtime. */
async function listen(respond: Respond, options: Omit<ListenerOptions, "tls"> = {}): Promise<Listener> {
  const server = createServer({ maxHeaderSize: 2 ** 17 }, respond);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const profile = listenerProfile({ role: "ingress", nodeId: "n1", published: 443 }, "k", "https");
  const tls = { options: certificate, follow: () => undefined };
  const agent = new RuntimeAgent({ host: "127.0.0.1", port });
  closing.push(() => agent.destroy());
  const listener = await Listener.open("127.0.0.1", 0, profile, agent, { ...options, tls });
  closing.push(() => listener.close(0));
  return listener;
}

const brief = { headMs: 100, keepAliveMs: 300, clientMs: 500 };

function connect({ port }: Listener): ClientHttp2Session {
  const session = connectHttp2(`https://localhost:${port}`, {
    ca: certificate.cert,
    maxSendHeaderBlockLength: 2 ** 20,
  });
  session.on("error", () => undefined);
  closing.push(() => session.destroy());
  return session;
}

type Answer = {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly rstCode: number;
};

async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: Record<string, unknown> = {};
  let body = "";
  stream.on("error", () => undefined);
  stream.on("response", (received) => {
    headers = { ...received };
  });
  stream.setEncoding("latin1").on("data", (text) => {
    body += text;
  });
  if (!stream.closed) await once(stream, "close").catch(() => undefined);
  return { status: headers[":status"] as number | undefined, headers, body, rstCode: stream.rstCode ?? -1 };
}

/** Sends a request without a body. */
function ask(session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
  return answerTo(session.request({ ":path": path, ...headers }));
}

/** @param settings those of the client, which confirms the listener's */
async function frames({ port }: Listener, settings = settingsFrame()): Promise<FrameClient> {
  const client = await FrameClient.connect(port, settings);
  client.send(frame(frameTypes.settings, frameFlags.ack, 0));
  closing.push(() => client.socket.destroy());
  return client;
}

const ok: Respond = (incoming, outgoing) => {
  incoming.resume();
  outgoing.end("ok");
};

test.each([
  [["h2", "http/1.1"], "h2"],
  [["http/1.1"], "http/1.1"],
  [[], false],
])("[Q60] a client that offers %j gets %s", async (ALPNProtocols, chosen) => {
  const { port } = await listen(ok);
  const options = { host: "localhost", port, ca: certificate.cert };
  const socket = connectTls(ALPNProtocols.length > 0 ? { ...options, ALPNProtocols } : options);
  closing.push(() => socket.destroy());
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).toBe(chosen);
  if (chosen === "h2") return;
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
});

test("[Q61] a stream arrives as a request of HTTP/1.1, with the listener's facts and its body", async () => {
  const listener = await listen(async (incoming, outgoing) => {
    let bytes = 0;
    for await (const part of incoming) bytes += (part as Buffer).length;
    const line = `${incoming.method} ${incoming.url}`;
    outgoing.end(JSON.stringify({ bytes, raw: incoming.rawHeaders, line }), "latin1");
  });
  const session = connect(listener);
  const stream = session.request({
    ":method": "POST",
    ":path": "/a?b",
    cookie: ["a=1", "b=2"],
    "x-c": "caf\xe9",
  });
  stream.end(Buffer.alloc(300_000));
  const { body } = await answerTo(stream);
  const { bytes, raw, line } = JSON.parse(body) as { bytes: number; raw: string[]; line: string };
  const facts = { role: "ingress", node: "n1", port: 443, scheme: "https" } as const;
  const client = raw[raw.indexOf("x-waggle-entry") + 1]?.split(" ")[3] ?? "";
  expect([bytes, line]).toEqual([300_000, "POST /a?b"]);
  expect(raw.join("|")).toContain("cookie|a=1; b=2|x-c|caf\xe9|");
  expect(raw).toContain(sealFacts({ ...facts, client }, "k"));
  expect(client).toMatch(/^(127\.0\.0\.1|::1)$/);
});

const withField = (name: string, value: string) => requestFields("/", { more: [[name, value]] });

test("[Q63] a malformed request is reset and reaches no task; the connection goes on", async () => {
  let reached = 0;
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url !== "/next") reached += 1;
    ok(incoming, outgoing);
  });
  const client = await frames(listener);
  const malformed = [
    withField("X-A", "b"),
    withField("connection", "close"),
    withField("transfer-encoding", "chunked"),
    withField("te", "gzip"),
    withField("upgrade", "websocket"),
    withField("content-length", "3"),
    withField("content-length", "+0"),
    withField(":path", "/twice"),
    withField(":status", "200"),
    withField(":other", "a"),
    requestFields("/").slice(1),
    requestFields("/").slice(0, 3),
    requestFields("no-slash"),
    requestFields("/a b"),
    requestFields("/", { method: "GE T" }),
    requestFields("/", { authority: "u@a" }),
    [...requestFields("/"), ["host", "a"], ["host", "a"]] as const,
  ];
  for (const [index, fields] of malformed.entries()) client.request(1 + 2 * index, fields);
  const short = 1 + 2 * malformed.length;
  client.request(
    short,
    [...requestFields("/", { method: "POST" }), ["content-length", "3"]],
    frameFlags.none,
  );
  client.send(frame(frameTypes.data, frameFlags.endStream, short, Buffer.from("ab")));
  client.request(short + 2, requestFields("/next"));
  await until("the next response", () => client.body(short + 2) === "ok");
  const codes = [...malformed, "short"].map((_, index) => client.resets(1 + 2 * index));
  expect(codes).toEqual(codes.map(() => [errorCodes.protocolError]));
  expect(reached).toBe(0);
});

test("[Q63] a header whose name or value has a wrong character is left out", async () => {
  const listener = await listen((incoming, outgoing) => outgoing.end(incoming.rawHeaders.join("|")));
  const client = await frames(listener);
  const wrong = [
    ["a b", "1"],
    ["x-nul", "a\0b"],
    ["x-line", "a\r\nx-smuggled: b"],
    ["x-space", " a"],
  ] as const;
  client.request(1, requestFields("/", { more: [...wrong, ["x-right", "1"]] }));
  await until("the response", () => client.body(1) !== "");
  expect(client.body(1)).toMatch(
    /^x-right\|1\|host\|localhost\|x-waggle-entry\|[^|]+\|Connection\|keep-alive$/,
  );
});

test("[Q64] a refusal has the status and reason of HTTP/1.1, and the connection goes on", async () => {
  const session = connect(await listen(ok));
  const large = Object.fromEntries(
    ["a", "b", "c", "d", "e"].map((name) => [`x-${name}`, name.repeat(13_500)]),
  );
  expect(await ask(session, "/", large)).toMatchObject({
    status: 431,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
    body: "431 Request Header Fields Too Large: the request head is larger than 64 KiB\n",
  });
  expect(await ask(session, "/", { ":method": "BREW" })).toMatchObject({ status: 501 });
  expect(await ask(session, "/", { ":authority": "localhost", host: "other" })).toMatchObject({
    status: 400,
  });
  expect(await ask(session, "/", { expect: "tea" })).toMatchObject({ status: 417 });
  const refused = await ask(session, "/", { ":method": "HEAD", ":authority": "localhost", host: "other" });
  expect(refused).toMatchObject({ status: 400, body: "", rstCode: 0 });
  expect(refused.headers).not.toHaveProperty("connection");
  expect(await ask(session, "/", { "x-a": "a".repeat(60_000) })).toMatchObject({ status: 200, body: "ok" });
});

test("[Q64] a head above 128 KiB, or of more than 1,024 headers, resets its stream", async () => {
  const client = await frames(await listen(ok));
  const fields = (count: number, text: string) =>
    Array.from({ length: count }, (_, index) => [`x-${index}`, text] as const);
  const heads = [fields(10, "a".repeat(14_000)), fields(1_100, "a")];
  for (const [index, more] of heads.entries()) {
    const block = literalBlock(requestFields("/", { more }));
    const at = 1 + 2 * index;
    client.send(frame(frameTypes.headers, frameFlags.endStream, at, block.subarray(0, 16_384)));
    for (let from = 16_384; from < block.length; from += 16_384) {
      const flags = from + 16_384 >= block.length ? frameFlags.endHeaders : frameFlags.none;
      client.send(frame(frameTypes.continuation, flags, at, block.subarray(from, from + 16_384)));
    }
    if (block.length <= 16_384) client.send(frame(frameTypes.continuation, frameFlags.endHeaders, at));
  }
  client.request(5, requestFields("/"));
  await until("the next response", () => client.body(5) === "ok");
  expect([client.resets(1), client.resets(3)]).toEqual([
    [errorCodes.enhanceYourCalm],
    [errorCodes.enhanceYourCalm],
  ]);
});

test("[Q65] a response keeps its lines, and loses those about a connection", async () => {
  const twice = ["x-content-type-options", "nosniff", "x-content-type-options", "nosniff"];
  const lines = [
    "upgrade",
    "h2c",
    "proxy-connection",
    "keep-alive",
    "set-cookie",
    "a=1",
    "set-cookie",
    "b=2",
  ];
  const session = connect(
    await listen((incoming, outgoing) => {
      if (incoming.url === "/204") outgoing.writeHead(204, { "content-length": "0" }).end();
      else if (incoming.url === "/304") outgoing.writeHead(304, { etag: '"a"' }).end();
      else
        outgoing
          .writeHead(200, [...lines, ...twice, "x-a", "caf\xe9", "Content-Length", "2"])
          .end(Buffer.from("ok"));
    }),
  );
  const get = await ask(session, "/");
  expect(get.headers).toMatchObject({
    "set-cookie": ["a=1", "b=2"],
    "x-content-type-options": "nosniff, nosniff",
    "x-a": "caf\xe9",
    "content-length": "2",
  });
  for (const name of ["upgrade", "proxy-connection", "connection", "keep-alive"])
    expect(get.headers).not.toHaveProperty(name);
  const head = await ask(session, "/", { ":method": "HEAD" });
  expect([head.status, head.body, head.headers["content-length"]]).toEqual([200, "", "2"]);
  const empty = await ask(session, "/204");
  expect([empty.status, empty.headers["content-length"]]).toEqual([204, undefined]);
  expect(await ask(session, "/304")).toMatchObject({ status: 304, body: "", headers: { etag: '"a"' } });
});

test("[U612] a response passes with headers that have the names of properties of JavaScript", async () => {
  const lines = ["constructor", "a", "__proto__", "b", "__proto__", "c", "x-last", "d"];
  const client = await frames(await listen((_, outgoing) => outgoing.writeHead(200, lines).end("ok")));
  client.request(1, requestFields("/"));
  await until("the response", () => client.body(1) === "ok");
  expect(client.resets(1)).toEqual([]);
});

/** Writes until the stream is closed, each part when the last one was taken. */
function writeForEver(stream: Writable, onTaken: (bytes: number) => void): void {
  const part = Buffer.alloc(65_536);
  const write = (): void => {
    if (stream.destroyed || stream.writableEnded) return;
    stream.write(part, (error) => {
      if (error != null) return;
      onTaken(part.length);
      setImmediate(write);
    });
  };
  write();
}

/** A count that has stopped rising. */
async function settled(count: () => number): Promise<number> {
  let before = -1;
  const isSame = (): boolean => {
    const isOver = count() === before;
    before = count();
    return isOver;
  };
  await until("a count to stop rising", isSame, { everyMs: 300 });
  return before;
}

test("[Q66] a task that does not read stops the upload, and other streams go on", async () => {
  let upload: IncomingMessage | null = null;
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/") return ok(incoming, outgoing);
    upload = incoming;
    return;
  });
  const session = connect(listener);
  const stream = session.request({ ":method": "POST", ":path": "/upload" });
  stream.on("error", () => undefined);
  let taken = 0;
  writeForEver(stream, (bytes) => {
    taken += bytes;
  });
  await until("the request", () => upload !== null);
  const before = await settled(() => taken);
  // The kernel's buffers of the connection to the runtime take a few MB.
  expect(taken).toBeLessThan(16 * 1024 * 1024);
  expect(await ask(session, "/")).toMatchObject({ body: "ok" });
  (upload as unknown as IncomingMessage).resume();
  await until("the upload to go on", () => taken > before);
});

test("[Q66] a client that does not read a stream slows its task, and other streams go on", async () => {
  let written = 0;
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/") return ok(incoming, outgoing);
    return writeForEver(outgoing, (bytes) => {
      written += bytes;
    });
  });
  const session = connect(listener);
  const stream = session.request({ ":path": "/download" });
  stream.on("error", () => undefined);
  await once(stream, "response");
  const before = await settled(() => written);
  expect(written).toBeLessThan(16 * 1024 * 1024);
  expect(await ask(session, "/")).toMatchObject({ body: "ok" });
  stream.resume();
  await until("the download to go on", () => written > before);
});

test("[Q67] a stream that is reset ends its request, with whatever code, and no other", async () => {
  const gone: string[] = [];
  const ended: string[] = [];
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/next") return ok(incoming, outgoing);
    const name = incoming.url ?? "";
    incoming.resume().on("error", () => undefined);
    incoming.on("end", () => ended.push(name));
    incoming.socket.once("close", () => gone.push(name));
    return;
  });
  const client = await frames(listener);
  const codes = [errorCodes.cancel, errorCodes.noError, errorCodes.internalError];
  for (const [index, code] of codes.entries()) {
    const at = 1 + 4 * index;
    client.request(at, requestFields(`/${code}`, { method: "POST" }), frameFlags.none);
    client.send(frame(frameTypes.data, frameFlags.none, at, Buffer.from("abc")));
    client.request(at + 2, requestFields("/next"));
    await until("the next response", () => client.body(at + 2) === "ok");
    client.send(frame(frameTypes.rstStream, frameFlags.none, at, uint32(code)));
    await until("the request to end", () => gone.includes(`/${code}`));
  }
  expect(ended).toEqual([]);
});

test("[Q67] a response that breaks off resets its stream, and a task that is lost before is 502", async () => {
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/") return ok(incoming, outgoing);
    if (incoming.url === "/begun") outgoing.writeHead(200).write("part");
    incoming.resume().once("end", () => setImmediate(() => outgoing.socket?.resetAndDestroy()));
    return;
  });
  const session = connect(listener);
  const begun = session.request({ ":path": "/begun" });
  expect(await answerTo(begun)).toMatchObject({
    status: 200,
    body: "part",
    rstCode: errorCodes.internalError,
  });
  const lost = session.request({ ":method": "POST", ":path": "/lost" });
  lost.end("a");
  expect(await answerTo(lost)).toMatchObject({
    status: 502,
    body: expect.stringContaining("whether a task got it"),
  });
  expect(await ask(session, "/")).toMatchObject({ status: 200, rstCode: 0 });
});

test("[Q68] a client that expects 100 Continue gets it, and its body arrives", async () => {
  const listener = await listen(async (incoming, outgoing) => {
    const { expect: expectation = "no expectation" } = incoming.headers;
    for await (const part of incoming) outgoing.write(part);
    outgoing.end(expectation);
  });
  const stream = connect(listener).request({ ":method": "POST", ":path": "/", expect: "100-continue" });
  await once(stream, "continue");
  stream.end("abc ");
  expect(await answerTo(stream)).toMatchObject({ status: 200, body: "abc no expectation" });
});

test("[Q69] a body that stops arriving is 408, and the connection goes on", async () => {
  const timeouts = { ...brief, keepAliveMs: 10_000 };
  const session = connect(
    await listen((incoming, outgoing) => void (incoming.url === "/" && ok(incoming, outgoing)), { timeouts }),
  );
  const stalled = session.request({ ":method": "POST", ":path": "/upload" });
  stalled.write("abc");
  expect(await answerTo(stalled)).toMatchObject({ status: 408, body: expect.stringContaining("for 0.5 s") });
  expect(await ask(session, "/")).toMatchObject({ status: 200 });
});

test("[Q69] a response that its client does not read is reset after its time, and the task's work ends", async () => {
  let gone = 0;
  const listener = await listen(
    (incoming, outgoing) => {
      if (incoming.url === "/quiet") return void setTimeout(() => outgoing.end("ok"), 1_500);
      outgoing.once("close", () => {
        gone += 1;
      });
      return void outgoing.writeHead(200).write(Buffer.alloc(1024 * 1024));
    },
    { timeouts: brief },
  );
  // A window of zero bytes for each stream, which never opens.
  const client = await frames(listener, settingsFrame([4, 0]));
  for (const stream of [1, 3, 5]) client.request(stream, requestFields("/large"));
  await until("the tasks' work to end", () => gone === 3);
  for (const stream of [1, 3, 5]) await until("the reset", () => client.resets(stream).length === 1);
  expect(client.resets(5)).toEqual([errorCodes.internalError]);
  const patient = connect(listener);
  expect(await ask(patient, "/quiet")).toMatchObject({ status: 200 });
});

test("[Q69] a stream whose window stays closed is reset although others of its connection go on", async () => {
  const listener = await listen(
    (incoming, outgoing) => {
      if (incoming.url === "/large") return void outgoing.writeHead(200).write(Buffer.alloc(1024 * 1024));
      return ok(incoming, outgoing);
    },
    { timeouts: { headMs: 50, keepAliveMs: 60_000, clientMs: 250 } },
  );
  const client = await frames(listener, settingsFrame([4, 0]));
  client.request(1, requestFields("/large"));
  let next = 3;
  const beganMs = performance.now();
  await until("the reset", () => {
    client.request(next, requestFields("/", { method: "HEAD" }));
    next += 2;
    return client.resets(1).length > 0;
  });
  expect(performance.now() - beganMs).toBeGreaterThan(2_000);
});

test("[Q69] a connection without a request ends in the time for a head, and between two in the idle time", async () => {
  const listener = await listen(ok, { timeouts: brief });
  const [silent, slow] = [await frames(listener), await frames(listener)];
  // A head that goes on for ever.
  slow.send(frame(frameTypes.headers, frameFlags.endStream, 1, literalBlock(requestFields("/"))));
  for (const client of [silent, slow]) {
    await until("it to end", () => client.isClosed);
    expect(client.goaways[0]).toBe(errorCodes.noError);
  }
  const session = connect(listener);
  expect(await ask(session, "/")).toMatchObject({ status: 200 });
  await once(session, "close");
});

test("[Q69] a client that does not confirm the settings is disconnected", async () => {
  const { port } = await listen(() => undefined, { timeouts: brief });
  const client = await FrameClient.connect(port);
  closing.push(() => client.socket.destroy());
  client.request(1, requestFields("/"));
  await until("the end", () => client.isClosed);
  expect(client.goaways).toEqual([constants.NGHTTP2_SETTINGS_TIMEOUT]);
});

test("[Q70] a drain ends a busy connection behind its streams, and an idle one behind the next", async () => {
  const held: ServerResponse[] = [];
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/held") held.push(outgoing);
    else ok(incoming, outgoing);
  });
  const [busy, idle] = [await frames(listener), await frames(listener)];
  busy.request(1, requestFields("/held"));
  idle.request(1, requestFields("/"));
  await until("the requests", () => held.length === 1 && idle.body(1) === "ok");
  const drained = listener.drain(60_000);
  await until("the announcement", () => busy.goaways.length === 1);
  const lastStream = ({ received }: FrameClient) =>
    received.find(({ type }) => type === frameTypes.goaway)?.payload.readUInt32BE(0);
  // Not processed, and above the last stream of the GOAWAY, so that its client sends it again elsewhere.
  busy.request(3, requestFields("/"));
  idle.request(3, requestFields("/"));
  await until("the response", () => idle.body(3) === "ok");
  await until("the idle connection to end", () => idle.isClosed);
  expect([lastStream(busy), lastStream(idle), idle.goaways[0]]).toEqual([1, 3, errorCodes.noError]);
  expect([busy.isClosed, busy.hasResponse(3)]).toEqual([false, false]);
  held[0]?.end("ok");
  await until("the held response", () => busy.body(1) === "ok");
  await drained;
});

test("[Q70] a close refuses further streams and finishes open ones", async () => {
  const held: ServerResponse[] = [];
  const listener = await listen((_, outgoing) => held.push(outgoing));
  const client = await frames(listener);
  client.request(1, requestFields("/held"));
  await until("the request", () => held.length === 1);
  const closed = listener.close(60_000);
  await until("the announcement", () => client.goaways.length === 1);
  client.request(3, requestFields("/late"));
  held[0]?.end("ok");
  await until("the response", () => client.body(1) === "ok");
  await closed;
  expect([held.length, client.hasResponse(3)]).toEqual([1, false]);
});

test("[Q71] streams beyond the machine's requests are refused as not processed, and the connection goes on", async () => {
  const held: ServerResponse[] = [];
  // For two requests.
  const budget = new DescriptorBudget(310);
  const listener = await listen((_, outgoing) => held.push(outgoing), { budget });
  const session = connect(listener);
  const open = [ask(session, "/1"), ask(session, "/2")];
  await until("both", () => held.length === 2);
  expect(await ask(session, "/3")).toMatchObject({ status: undefined, rstCode: errorCodes.refusedStream });
  for (const response of held) response.end("ok");
  expect((await Promise.all(open)).map(({ status }) => status)).toEqual([200, 200]);
  const later = ask(session, "/4");
  await until("the later one", () => held.length === 3);
  held[2]?.end("ok");
  expect(await later).toMatchObject({ status: 200 });
});

test("[Q71] an idle connection makes room for a new one, and one with open streams does not", async () => {
  const held: ServerResponse[] = [];
  // Eight descriptors: one for the listener.
  const listener = await listen((_, outgoing) => held.push(outgoing), { budget: new DescriptorBudget(308) });
  const busy = await frames(listener);
  busy.request(1, requestFields("/"));
  await until("the request", () => held.length === 1);
  const idle: FrameClient[] = [];
  for (let count = 0; count < 8; count += 1) idle.push(await frames(listener));
  await until("the first idle one to end", () => idle[0]?.isClosed);
  expect(idle[0]?.goaways).toEqual([errorCodes.noError]);
  expect([busy.isClosed, idle.at(-1)?.isClosed]).toEqual([false, false]);
  held[0]?.end("ok");
  await until("the response", () => busy.body(1) === "ok");
});

test("[Q72] a connection has a hundred streams at a time", async () => {
  const held: ServerResponse[] = [];
  const listener = await listen((_, outgoing) => held.push(outgoing));
  const early = await FrameClient.connect(listener.port);
  closing.push(() => early.socket.destroy());
  for (let index = 0; index < 101; index += 1) early.request(1 + 2 * index, requestFields("/"));
  await until("the refusal", () => early.resets(201).length === 1);
  expect(early.resets(201)).toEqual([errorCodes.refusedStream]);
  await until("the others", () => held.length === 100);
  const [first] = early.received;
  const settings = first?.payload ?? Buffer.alloc(0);
  const values = new Map(
    Array.from({ length: settings.length / 6 }, (_, index) => [
      settings.readUInt16BE(6 * index),
      settings.readUInt32BE(6 * index + 2),
    ]),
  );
  expect(values.get(3)).toBe(100);
  // No CONNECT with a protocol (RFC 8441): browsers open WebSockets over HTTP/1.1.
  expect(values.get(8) ?? 0).toBe(0);
});

test("[Q73] a client that opens and resets streams without end is disconnected", async () => {
  let reached = 0;
  const listener = await listen(() => {
    reached += 1;
  });
  const client = await frames(listener);
  for (let index = 0; index < 2_000; index += 1) {
    const at = 1 + 2 * index;
    client.request(at, requestFields("/"));
    client.send(frame(frameTypes.rstStream, frameFlags.none, at, uint32(errorCodes.cancel)));
  }
  await until("the end", () => client.isClosed);
  expect(reached).toBeLessThan(500);
});

test.each([
  ["PINGs", frame(frameTypes.ping, frameFlags.none, 0, Buffer.alloc(8))],
  ["SETTINGS", settingsFrame([4, 65_535])],
  ["WINDOW_UPDATEs of a byte", frame(frameTypes.windowUpdate, frameFlags.none, 0, uint32(1))],
  ["PRIORITYs", frame(frameTypes.priority, frameFlags.none, 1, Buffer.alloc(5, 1))],
  ["frames of an unknown type", frame(200, frameFlags.none, 0, Buffer.alloc(8))],
  ["empty DATA", frame(frameTypes.data, frameFlags.none, 1)],
])(
  "[Q74] a flood of %s ends the connection, and other clients are served",
  async (_what, one) => {
    const listener = await listen(
      (incoming, outgoing) => void (incoming.url === "/" && ok(incoming, outgoing)),
    );
    const client = await frames(listener);
    client.send(frame(frameTypes.settings, frameFlags.ack, 0));
    client.request(1, requestFields("/held", { method: "POST" }), frameFlags.none);
    const flood = Buffer.concat(Array.from({ length: 5_000 }, () => one));
    const more = setInterval(() => client.send(flood), 20);
    closing.push(() => clearInterval(more));
    await until("the end", () => client.isClosed);
    expect(await ask(connect(listener), "/")).toMatchObject({ status: 200 });
  },
  30_000,
);

test("[Q74] few frames that carry no request, but many bytes, end the connection with ENHANCE_YOUR_CALM", async () => {
  const client = await frames(await listen(ok));
  const unknown = frame(200, frameFlags.none, 0, Buffer.alloc(16_384));
  client.send(...Array.from({ length: 20 }, () => unknown));
  await until("the end", () => client.isClosed);
  expect(client.goaways).toEqual([errorCodes.enhanceYourCalm]);
});

test("[Q75] a body in tiny parts that its task does not read is reset, and one in large parts is not", async () => {
  // Nothing listens there, and the request waits for it.
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: 1 });
  closing.push(() => agent.destroy());
  const profile = listenerProfile({ role: "ingress", nodeId: "n1", published: 443 }, "k", "https");
  const tls = { options: certificate, follow: () => undefined };
  const listener = await Listener.open("127.0.0.1", 0, profile, agent, { tls });
  closing.push(() => listener.close(0));
  const client = await frames(listener);
  const part = (stream: number, bytes: number) =>
    frame(frameTypes.data, frameFlags.none, stream, Buffer.alloc(bytes));
  for (const stream of [1, 3]) {
    client.request(stream, requestFields("/", { method: "POST" }), frameFlags.none);
    // More than is sent on before the task reads.
    for (let count = 0; count < 12; count += 1) client.send(part(stream, 16_384));
  }
  client.send(Buffer.concat(Array.from({ length: maxUnreadFrames }, () => part(1, 1))));
  await until("the reset", () => client.resets(1).length > 0);
  expect([client.resets(1), client.resets(3)]).toEqual([[errorCodes.enhanceYourCalm], []]);
});

test("[Q76] a flood of CONTINUATION frames ends the connection", async () => {
  const client = await frames(await listen(ok));
  client.send(frame(frameTypes.headers, frameFlags.endStream, 1, literalBlock(requestFields("/"))));
  for (let count = 0; count < 100; count += 1)
    client.send(frame(frameTypes.continuation, frameFlags.none, 1));
  await until("the end", () => client.isClosed);
  expect(client.hasResponse(1)).toBe(false);
});

test("[Q76] a head that HPACK inflates is reset, and takes little memory", async () => {
  const client = await frames(await listen(ok));
  // A literal that is indexed, as entry 62 of the table, and then named ten thousand times.
  const entry = Buffer.concat([Buffer.from([0x40]), hpackText("x-a"), hpackText("a".repeat(3_900))]);
  const block = Buffer.concat([literalBlock(requestFields("/")), entry, Buffer.alloc(10_000, 0x80 | 62)]);
  const before = process.memoryUsage().rss;
  for (let index = 0; index < 50; index += 1)
    client.send(
      frame(frameTypes.headers, frameFlags.endStream | frameFlags.endHeaders, 1 + 2 * index, block),
    );
  client.request(101, requestFields("/"));
  await until("the next response", () => client.body(101) === "ok");
  expect(client.resets(1)).toEqual([errorCodes.enhanceYourCalm]);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
});

test("[Q77] trailers are dropped, and the body is complete", async () => {
  const listener = await listen(async (incoming, outgoing) => {
    let text = "";
    for await (const part of incoming) text += part;
    outgoing.end(`${text} ${JSON.stringify(incoming.trailers)}`);
  });
  const client = await frames(listener);
  client.request(1, requestFields("/", { method: "POST" }), frameFlags.none);
  client.send(frame(frameTypes.data, frameFlags.none, 1, Buffer.from("abc")));
  client.request(1, [["x-trailer", "1"]]);
  await until("the response", () => client.body(1) !== "");
  expect(client.body(1)).toBe("abc {}");
});

test("[Q78] a response before the end of an upload passes, and the stream ends without an error", async () => {
  const listener = await listen((incoming, outgoing) => {
    if (incoming.url === "/") return ok(incoming, outgoing);
    return void outgoing.writeHead(413, { "content-length": "3" }).end("big");
  });
  const session = connect(listener);
  const upload = session.request({ ":method": "POST", ":path": "/upload" });
  writeForEver(upload, () => undefined);
  expect(await answerTo(upload)).toMatchObject({ status: 413, body: "big", rstCode: errorCodes.noError });
  expect(await ask(session, "/")).toMatchObject({ status: 200 });
});

test("[Q79] CONNECT is 501, and one with a protocol is reset", async () => {
  const client = await frames(await listen(ok));
  const connectTo = (...more: (readonly [string, string])[]) => [[":method", "CONNECT"], ...more] as const;
  client.request(1, connectTo([":authority", "a:1"]), frameFlags.none);
  await until("the refusal", () => client.body(1) !== "");
  expect(client.body(1)).toContain("CONNECT is not supported");
  const webSocket = requestFields("/").slice(1);
  client.request(3, connectTo([":protocol", "websocket"], ...webSocket), frameFlags.none);
  await until("the reset", () => client.resets(3).length === 1);
  expect(client.resets(3)).toEqual([errorCodes.protocolError]);
});

test("[U613] a port that cannot be opened leaves nothing behind, however often it is tried", async () => {
  const taken = await listen(ok);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const agent = new RuntimeAgent({ host: "127.0.0.1", port: 1 });
    const profile = listenerProfile({ role: "ingress", nodeId: "n1", published: 443 }, "k", "https");
    const followed: Server[] = [];
    const ended: Server[] = [];
    const follow = (server: Server): void => {
      followed.push(server);
      server.once("close", () => ended.push(server));
    };
    const tls = { options: certificate, follow };
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(Listener.open("127.0.0.1", taken.port, profile, agent, { tls })).rejects.toThrow(
        "EADDRINUSE",
      );
    expect(vi.getTimerCount()).toBe(0);
    expect(followed).toHaveLength(3);
    await until("the end of each server", () => ended.length === 3);
  } finally {
    vi.useRealTimers();
  }
});
