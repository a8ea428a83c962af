// The name server of a node for its containers. It answers the names on a container's networks, and passes every other
// question on to the name servers of this machine, bytes as they are.

import { createSocket, type Socket as DatagramSocket, type RemoteInfo } from "node:dgram";
import { Resolver } from "node:dns";
import { createServer, type Server, Socket } from "node:net";
import { decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";

/** What the server answers: addresses, or that another server is asked. */
export type NameAnswer =
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** Asks the name servers of this machine. */
  | { readonly kind: "forward" }
  /** Asks the next name server of the container. */
  | { readonly kind: "next" };

/** @param client IPv4 address of the container */
export type AnswerName = (client: string, name: string) => Promise<NameAnswer>;

/** Lifetime of an answer, seconds: clients must not keep the address of a task that has ended. */
const ttlS = 1;
/** Time for another name server to answer, milliseconds. */
const forwardMs = 4_000;
/** Questions that wait for other name servers at a time: of all clients, and of each. */
const maxForwarded = 512;
const maxForwardedOfClient = 128;
/** Questions by UDP that wait for an answer at a time; others are dropped, and asked again. */
const maxWaitingQuestions = 4_096;
/** TCP connections at a time: of all clients, and of each. */
const maxConnections = 512;
const maxConnectionsOfClient = 16;
/** A connection without a byte ends after this time, milliseconds. */
const idleMs = 10_000;
/** What a client without EDNS takes (RFC 1035 §4.2.1). */
const maxDatagramBytes = 512;

/** A longer message is no question that a program of a container asks, bytes. */
const maxQuestionBytes = 1_024;
/** Room of a message over TCP for addresses, and what each takes besides its name, bytes. */
const addressRoomBytes = 65_535 - maxQuestionBytes;
const addressBytes = 16;

const noError = 0;
const serverFailure = 2;

export type NameServerAddress = { readonly host: string; readonly port: number };

/** An open port, for UDP and TCP. */
export class NameServer {
  readonly #answer: AnswerName;
  readonly #others: () => readonly NameServerAddress[];
  readonly #udp: DatagramSocket = createSocket("udp4");
  readonly #tcp: Server;
  readonly #connections = new ClientCounts<Socket>(maxConnections, maxConnectionsOfClient);
  readonly #forwarded = new ClientCounts<Buffer>(maxForwarded, maxForwardedOfClient);
  #waiting = 0;
  #isClosed = false;

  private constructor(answer: AnswerName, others: () => readonly NameServerAddress[]) {
    this.#answer = answer;
    this.#others = others;
    this.#udp.on("error", () => undefined);
    this.#udp.on("message", (message, from) => void this.#receive(message, from));
    this.#tcp = createServer((socket) => void this.#accept(socket));
    this.#tcp.on("error", () => undefined);
  }

  /**
   * Opens any port at an address of this machine; rejects with Node's error.
   *
   * @param others the name servers that are asked otherwise, in this order
   */
  static async open(
    host: string,
    answer: AnswerName,
    others: () => readonly NameServerAddress[] = machineServers,
  ): Promise<NameServer> {
    for (let attempt = 0; ; attempt++) {
      const server = new NameServer(answer, others);
      try {
        await new Promise<void>((resolve, reject) => {
          server.#tcp.once("error", reject);
          server.#tcp.listen({ host, port: 0 }, resolve);
        });
        await new Promise<void>((resolve, reject) => {
          server.#udp.once("error", reject);
          server.#udp.bind({ address: host, port: server.port }, resolve);
        });
        return server;
      } catch (error) {
        server.close();
        // The port may be free for TCP only.
        if (attempt >= 5 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      }
    }
  }

  get port(): number {
    const address = this.#tcp.address();
    return typeof address === "object" ? (address?.port ?? 0) : 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#tcp.close();
    for (const socket of this.#connections.all) socket.destroy();
    this.#udp.close();
  }

  async #receive(message: Buffer, { address, port }: RemoteInfo): Promise<void> {
    // Nothing can be sent to port 0, which a raw socket may state.
    if (port === 0 || this.#waiting >= maxWaitingQuestions) return;
    this.#waiting += 1;
    const reply = await this.#reply(message, address, "udp");
    this.#waiting -= 1;
    if (reply !== null && !this.#isClosed) this.#udp.send(reply, port, address, () => undefined);
  }

  /** Answers the questions of a connection one after the other, as fast as the answers are read. */
  async #accept(socket: Socket): Promise<void> {
    const client = socket.remoteAddress ?? "";
    socket.on("error", () => undefined);
    if (!this.#connections.add(client, socket)) {
      socket.destroy();
      return;
    }
    socket.once("close", () => this.#connections.remove(client, socket));
    socket.setTimeout(idleMs, () => socket.destroy());
    let received: Buffer = Buffer.alloc(0);
    try {
      for await (const bytes of socket) {
        received = Buffer.concat([received, bytes]);
        for (let size = sizeOfFirst(received); size !== null; size = sizeOfFirst(received)) {
          const reply = await this.#reply(received.subarray(2, 2 + size), client, "tcp");
          received = received.subarray(2 + size);
          if (reply !== null) await written(socket, withSize(reply));
        }
      }
    } catch {
      // The client has left.
    }
  }

  /** Null: the message is no question, or one that cannot be answered. Never rejects. */
  async #reply(message: Buffer, client: string, transport: "udp" | "tcp"): Promise<Buffer | null> {
    try {
      return await this.#answerQuery(message, client, transport);
    } catch {
      return null;
    }
  }

  async #answerQuery(message: Buffer, client: string, transport: "udp" | "tcp"): Promise<Buffer | null> {
    const query = readQuery(message);
    const question = query?.questions?.[0];
    if (query === null || question === undefined) return null;
    const answer = await this.#answer(client, question.name);
    if (answer.kind === "next") return failure(query);
    if (answer.kind === "forward") return (await this.#forward(message, client, transport)) ?? failure(query);
    // Addresses are of IPv4: other questions about the name have no answer, and the name exists.
    const addresses = question.type === "A" ? answer.addresses.slice(0, maxAddresses(question.name)) : [];
    const reply = encode({
      ...replyTo(query, noError),
      answers: addresses.map((data) => ({ type: "A", name: question.name, ttl: ttlS, data })),
    });
    if (transport === "tcp" || reply.length <= maxDatagramBytes) return reply;
    const short = replyTo(query, noError);
    return encode({ ...short, flags: (short.flags ?? 0) | TRUNCATED_RESPONSE });
  }

  /** Null if no server answers, or too many questions wait. */
  async #forward(message: Buffer, client: string, transport: "udp" | "tcp"): Promise<Buffer | null> {
    if (!this.#forwarded.add(client, message)) return null;
    try {
      for (const server of this.#others()) {
        const reply = await (transport === "udp" ? askByUdp(server, message) : askByTcp(server, message));
        if (reply !== null) return reply;
      }
      return null;
    } finally {
      this.#forwarded.remove(client, message);
    }
  }
}

/** What is open of all clients, within a limit for all and one for each, so that no client shuts out the others. */
class ClientCounts<T> {
  readonly #max: number;
  readonly #maxOfClient: number;
  readonly #byClient = new Map<string, Set<T>>();
  #count = 0;

  constructor(max: number, maxOfClient: number) {
    this.#max = max;
    this.#maxOfClient = maxOfClient;
  }

  get all(): readonly T[] {
    return [...this.#byClient.values()].flatMap((items) => [...items]);
  }

  /** False if that is too many. */
  add(client: string, item: T): boolean {
    const items = this.#byClient.get(client) ?? new Set();
    if (this.#count >= this.#max || items.size >= this.#maxOfClient) return false;
    this.#byClient.set(client, items.add(item));
    this.#count += 1;
    return true;
  }

  remove(client: string, item: T): void {
    const items = this.#byClient.get(client);
    if (items?.delete(item) !== true) return;
    this.#count -= 1;
    if (items.size === 0) this.#byClient.delete(client);
  }
}

/** Null for other messages, and for several questions in one, to which there is no answer (RFC 9619). */
function readQuery(message: Buffer): Packet | null {
  // Before it is decoded: names that refer to others become far longer than the message.
  const isShort = message.length >= 12 && message.length <= maxQuestionBytes;
  if (!isShort || message.readUInt16BE(4) !== 1) return null;
  try {
    const packet = decode(message);
    return packet.type === "query" ? packet : null;
  } catch {
    return null;
  }
}

function maxAddresses(name: string): number {
  return Math.floor(addressRoomBytes / (Buffer.byteLength(name) + addressBytes));
}

/** RD is returned, RA is set (RFC 1035 §4.1.1). */
function replyTo({ id, flags = 0, questions = [] }: Packet, code: number): Packet {
  const recursion = 0x0100;
  const available = 0x0080;
  return { type: "response", id: id ?? 0, flags: (flags & recursion) | available | code, questions };
}

function failure(query: Packet): Buffer {
  return encode(replyTo(query, serverFailure));
}

/** The name servers of this machine, as its resolv.conf has them now. */
function machineServers(): readonly NameServerAddress[] {
  return new Resolver().getServers().map((text) => {
    const [, host = text, port = "53"] =
      /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(hasPort(text) ? text : `[${text}]`) ?? [];
    return { host, port: Number(port) };
  });
}

/** An IPv6 address without brackets has no port. */
function hasPort(text: string): boolean {
  return text.startsWith("[") || text.split(":").length === 2;
}

function askByUdp({ host, port }: NameServerAddress, message: Buffer): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    let isOver = false;
    const end = (reply: Buffer | null): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => end(null), forwardMs);
    socket.on("error", () => end(null));
    socket.on("message", (reply) => {
      if (reply.length >= 2 && reply.readUInt16BE(0) === message.readUInt16BE(0)) end(reply);
    });
    socket.once("connect", () => {
      if (!isOver) socket.send(message, (error) => error && end(null));
    });
    // A connected socket takes replies of this server only.
    socket.connect(port, host);
  });
}

function askByTcp({ host, port }: NameServerAddress, message: Buffer): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const end = (reply: Buffer | null): void => {
      socket.destroy();
      resolve(reply);
    };
    let received: Buffer = Buffer.alloc(0);
    socket.setTimeout(forwardMs, () => end(null));
    socket.once("error", () => end(null));
    socket.once("close", () => end(null));
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const size = sizeOfFirst(received);
      if (size !== null) end(received.subarray(2, 2 + size));
    });
    socket.connect(port, host, () => socket.write(withSize(message)));
  });
}

/** Bytes of the first message of a stream (RFC 1035 §4.2.2); null until it is complete. */
function sizeOfFirst(received: Buffer): number | null {
  if (received.length < 2) return null;
  const size = received.readUInt16BE(0);
  return received.length >= 2 + size ? size : null;
}

/** Resolves when the bytes are on their way. Rejects if the connection closes before. */
function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function withSize(message: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
}
