// A gateway with tasks for tests, and a router that signs attempts at it.

import { createHmac, randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Gateway, type GatewayOptions, type GatewayTask } from "../../src/agent/gateway/gateway.ts";
import {
  attemptHeader,
  type GatewayAttempt,
  type GatewayOutcome,
  gatewayHeader,
  hostHeader,
  methodHeader,
  nodeKeyText,
  type ProvenRequest,
  printAttempt,
  proofBytes,
  provenText,
  readOutcome,
  targetHeader,
} from "../../src/gateway/attempt.ts";
import { exchange, readResponses } from "./raw-exchange.ts";

/** The key of a node under a key of the mesh. */
export function nodeKeyOf(meshKey: Buffer, nodeId: string): Buffer {
  return createHmac("sha256", meshKey).update(nodeKeyText(nodeId)).digest();
}

const meshKey = Buffer.alloc(32, 7);
export const testNodeKey = nodeKeyOf(meshKey, "node-1");

let attempts = 0;

/** What a test changes in an attempt and its request. */
export type AttemptChanges = Partial<GatewayAttempt> &
  Partial<ProvenRequest> & { readonly key?: Buffer; readonly wireMethod?: string };

export type SignedAttempt = {
  readonly attempt: GatewayAttempt;
  /** The mark of the gateway's response. */
  readonly mark: string;
  /** The method on the wire. */
  readonly method: string;
  /** The header lines of the attempt. */
  readonly lines: readonly string[];
};

/** Signs an attempt: by default a `repeat` of GET / at port 80 of task `t1`, now. */
export function sign(changes: AttemptChanges = {}): SignedAttempt {
  attempts += 1;
  const attempt: GatewayAttempt = {
    keyId: changes.keyId ?? "k1",
    taskId: changes.taskId ?? "t1",
    port: changes.port ?? 80,
    id: changes.id ?? `${attempts}.${randomBytes(4).toString("hex")}`,
    issuedMs: changes.issuedMs ?? Date.now(),
    kind: changes.kind ?? "repeat",
  };
  const request: ProvenRequest = {
    method: changes.method ?? "GET",
    target: changes.target ?? "/",
    host: changes.host === undefined ? "www.test" : changes.host,
  };
  const digest = createHmac("sha256", changes.key ?? testNodeKey)
    .update(provenText(attempt, request))
    .digest();
  const proof = digest.toString("base64url", 0, proofBytes);
  const method = changes.wireMethod ?? request.method;
  const lines = [
    `${attemptHeader}: ${printAttempt(attempt, proof)}`,
    `${targetHeader}: ${request.target}`,
    ...(request.host === null ? [] : [`${hostHeader}: ${request.host}`]),
    ...(method === request.method ? [] : [`${methodHeader}: ${request.method}`]),
  ];
  return { attempt, mark: digest.toString("base64url", proofBytes), method, lines };
}

/** The bytes of a request with a signed attempt. */
export function requestBytes(signed: SignedAttempt, lines: readonly string[] = [], body = ""): string {
  const head = [`${signed.method} / HTTP/1.1`, "Host: gateway", ...signed.lines, ...lines];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

export type GatewayReply = {
  readonly status: number;
  readonly outcome: GatewayOutcome | null;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** All bytes that came. */
  readonly text: string;
};

/** Sends an attempt over a connection of its own, and reads the first final response. */
export async function attempt(
  gateway: Gateway,
  changes: AttemptChanges | SignedAttempt = {},
  lines: readonly string[] = [],
  body = "",
): Promise<GatewayReply> {
  const signed = "mark" in changes ? changes : sign(changes);
  return sendBytes(gateway.port, requestBytes(signed, lines, body), signed);
}

/** Sends bytes, and reads the first final response. */
export async function sendBytes(
  port: number,
  bytes: string,
  signed: Pick<SignedAttempt, "mark" | "method"> = { mark: "", method: "GET" },
): Promise<GatewayReply> {
  const final = (text: string, isClosed: boolean) =>
    readResponses(text, [signed.method], isClosed).responses.find(({ status }) => status >= 200);
  const isDone = (text: string) => final(text, false) !== undefined;
  const { text, isClosed } = await exchange(port, [bytes], { isDone });
  return replyOf(final(text, isClosed), text, signed.mark);
}

function replyOf(
  message:
    | { status: number; headers: readonly string[]; body: string; trailers: readonly string[] }
    | undefined,
  text: string,
  mark: string,
): GatewayReply {
  const { status = 0, headers = [], body = "", trailers = [] } = message ?? {};
  return { status, outcome: outcomeOf(headers, mark), headers, body, trailers, text };
}

function outcomeOf(headers: readonly string[], mark: string): GatewayOutcome | null {
  const prefix = `${gatewayHeader}: `;
  const values = headers.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  return values.length === 1 ? readOutcome(values[0] ?? null, mark) : null;
}

/** A task whose port 80 is `port` of loopback. */
export function taskAt(port: number, changes: Partial<GatewayTask> = {}): GatewayTask {
  return { ports: new Map([[80, { host: "127.0.0.1", port }]]), accepts: true, ...changes };
}

export type OpenGateway = {
  readonly gateway: Gateway;
  /** By id; a test may change it. */
  readonly tasks: Map<string, GatewayTask>;
  readonly log: string[];
};

/** Opens the gateway of node-1 on a free port of loopback. */
export async function openGateway(
  tasks: Readonly<Record<string, GatewayTask>>,
  changes: Partial<GatewayOptions> = {},
): Promise<OpenGateway> {
  const known = new Map(Object.entries(tasks));
  const log: string[] = [];
  const gateway = await Gateway.open("127.0.0.1", 0, {
    keys: () => [{ id: "k1", key: testNodeKey }],
    task: (id) => known.get(id) ?? null,
    clocks: {
      wallMs: () => Date.now(),
      registryMs: () => null,
      monotonicMs: () => performance.now(),
    },
    log: (line) => log.push(line),
    ...changes,
  });
  return { gateway, tasks: known, log };
}

export type TcpTask = {
  readonly port: number;
  readonly connections: readonly Socket[];
  readonly stop: () => void;
};

/** Listens on a free port of loopback, and gives each connection to the test. */
export async function tcpTask(onConnection: (socket: Socket) => void): Promise<TcpTask> {
  const connections: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = (): void => {
    server.close();
    for (const socket of connections) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, connections, stop };
}

export type RawClient = {
  readonly socket: Socket;
  /** All that came so far; a character is a byte. */
  readonly text: () => string;
  readonly isEnded: () => boolean;
  /** The peer has ended its side, or the connection. */
  readonly ended: Promise<void>;
  /** Both sides have ended: the error that ended the connection; empty if it ended in order. */
  readonly closed: Promise<string>;
};

/** Connects to a port of loopback; a side that the peer ends does not end the other. */
export function rawClient(port: number, bytes = ""): RawClient {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  let isEnded = false;
  let failure = "";
  socket.on("data", (part: Buffer) => {
    text += part.toString("latin1");
  });
  socket.on("end", () => {
    isEnded = true;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(failure)));
  const ended = new Promise<void>((resolve) => {
    for (const event of ["end", "close"]) socket.once(event, () => resolve());
  });
  socket.write(bytes, "latin1");
  return { socket, text: () => text, isEnded: () => isEnded, ended, closed };
}
