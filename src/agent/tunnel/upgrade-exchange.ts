// A WebSocket that came through the tunnel. The tunnel carries its messages, because the router's runtime has
// no others; the task gets a WebSocket of its own, whose client is here.

// A named import does not see what src/package/older-node.ts adds.
import stream, { type Duplex, Readable } from "node:stream";
import { WebSocket } from "ws";
import { readClose, writeClose } from "../../gateway/tunnel/close.ts";
import { headerValues } from "../../gateway/tunnel/heads.ts";
import { maxRelayedMessageBytes, sendMessage } from "../../gateway/tunnel/messages.ts";
import { sendHead, TunnelExchange, type TunnelledHead, type TunnelledRequest } from "./tunnel-exchange.ts";

/** A request of the tunnel, for the gateway. */
export type TunnelledExchange = TunnelExchange | TunnelUpgrade;

/** Headers of a handshake that belong to the WebSocket here, not to the router's (RFC 6455 §4.1). */
const handshakeHeaders: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
]);

/** Time for the close handshake with the task, milliseconds. */
const closeTimeoutMs = 5_000;

/** Serves the request as a WebSocket's if it is one; false if it is not. */
export function openUpgrade(request: TunnelledRequest, handle: (exchange: TunnelUpgrade) => void): boolean {
  const { lines } = request.head;
  if (headerValues(lines, "upgrade")[0]?.toLowerCase() !== "websocket") return false;
  const [clientEnd, gatewayEnd] = stream.duplexPair();
  const protocols = headerValues(lines, "sec-websocket-protocol").flatMap((value) => value.split(","));
  const client = new WebSocket(
    "ws://gateway",
    protocols.map((name) => name.trim()),
    {
      createConnection: () => clientEnd as never,
      maxPayload: maxRelayedMessageBytes,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      closeTimeout: closeTimeoutMs,
    } as WebSocket.ClientOptions,
  );
  client.on("error", () => client.terminate());
  request.stream.onFailure(() => client.terminate());
  // The handshake that the client writes has its key.
  gatewayEnd.once("data", (head: Buffer) => {
    gatewayEnd.pause();
    const key = /^sec-websocket-key: *(\S+)/im.exec(head.toString("latin1"))?.[1] ?? "";
    handle(new TunnelUpgrade(request, { client, gatewayEnd, key }));
  });
  return true;
}

/** The WebSocket's client, the other end of its connection, and its key. */
type UpgradeParts = { readonly client: WebSocket; readonly gatewayEnd: Duplex; readonly key: string };

/** Serves a request for a WebSocket; either `respond` or `switchProtocols` is called, once. */
export class TunnelUpgrade {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly isUpgrade = true;
  readonly body = Readable.from([]);
  readonly #request: TunnelledRequest;
  readonly #parts: UpgradeParts;
  /** Serves a response that is not a 101. */
  readonly #plain: TunnelExchange;

  constructor(request: TunnelledRequest, parts: UpgradeParts) {
    this.method = request.head.method;
    this.rawHeaders = [
      ...request.head.lines.filter(([name]) => !handshakeHeaders.has(name.toLowerCase())).flat(),
      ...["connection", "Upgrade", "upgrade", "websocket"],
      ...["sec-websocket-version", "13", "sec-websocket-key", parts.key],
    ];
    this.#request = request;
    this.#parts = parts;
    this.#plain = new TunnelExchange(request);
  }

  /** Called once, when the response is complete or the router is gone. */
  get onClose(): () => void {
    return this.#plain.onClose;
  }

  set onClose(listener: () => void) {
    this.#plain.onClose = listener;
  }

  /** Refuses the other protocol. */
  respond(head: TunnelledHead, body: Readable | string): void {
    this.#parts.client.terminate();
    this.#plain.respond(head, body);
  }

  /** Passes messages both ways after a 101. @param first bytes that came from the task behind its 101 */
  switchProtocols(head: TunnelledHead, task: Duplex, first: Buffer): void {
    const { client, gatewayEnd } = this.#parts;
    const { stream } = this.#request;
    client.once("upgrade", () => {
      const rawHeaders = withoutHandshake(head.rawHeaders);
      if (sendHead(stream, { ...head, rawHeaders })) this.#sendMessages();
    });
    client.once("open", () => void this.#receiveMessages());
    client.once("close", () => this.#plain.close());
    gatewayEnd.write(`${printHead(head)}\r\n\r\n`, "latin1");
    if (first.length > 0) gatewayEnd.write(first);
    gatewayEnd.pipe(task);
    task.pipe(gatewayEnd);
    task.once("error", () => gatewayEnd.destroy());
    task.once("close", () => gatewayEnd.end());
    gatewayEnd.once("close", () => task.destroy());
    gatewayEnd.once("error", () => task.destroy());
  }

  /** Sends the task's messages, one after the other; the task waits meanwhile. */
  #sendMessages(): void {
    const { client } = this.#parts;
    const { stream, ready } = this.#request;
    let last: Promise<void> = Promise.resolve();
    let unsent = 0;
    client.on("message", (bytes: Buffer, isBinary) => {
      client.pause();
      unsent += 1;
      last = last
        .then(() => sendMessage(stream, { isText: !isBinary, bytes }, ready))
        .then(
          () => {
            unsent -= 1;
            if (unsent === 0) client.resume();
          },
          () => client.terminate(),
        );
    });
    client.once("close", (code, reason) => {
      void last.then(() => stream.end(writeClose(code, reason.toString())));
    });
  }

  async #receiveMessages(): Promise<void> {
    const { client } = this.#parts;
    const { stream } = this.#request;
    try {
      for (let data = await stream.read(); data !== null; data = await stream.read()) {
        const { bytes, kind } = data;
        await new Promise<void>((resolve) => {
          client.send(bytes, { binary: !kind.isText, fin: !kind.hasMore }, () => resolve());
        });
        stream.passOn(data);
      }
      const { code, reason } = readClose(stream.closePayload);
      if (code === null) client.close();
      else client.close(code, reason);
    } catch {
      client.terminate();
    }
  }
}

function printHead({ status, reason, rawHeaders }: TunnelledHead): string {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return lines.join("\r\n");
}

function withoutHandshake(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!handshakeHeaders.has(name.toLowerCase())) kept.push(name, rawHeaders[at + 1] as string);
  }
  return kept;
}
