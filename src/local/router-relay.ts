// The routes of src/control/router.ts for the data plane of this machine, on loopback: the machine's process
// holds the table and the machine's credential, and the Worker has a key of this start only.

import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ReplyHeaders, RouterLink } from "./router-link.ts";

/** As src/control/router.ts accepts. */
const maxRelayBytes = 8_388_608;

type Relayed = { readonly status: number; readonly text: string; readonly headers?: ReplyHeaders };

export class RouterRelay {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens it at any free port of loopback. @param key what its one client sends as bearer token */
  static async open(link: RouterLink, key: string): Promise<RouterRelay> {
    const server = createServer((request, response) => void serve(request, response, link, key));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new RouterRelay(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  link: RouterLink,
  key: string,
): Promise<void> {
  const relayed = isAuthorized(request, key)
    ? await answer(request, link).catch((error: Error) => failure(503, error.message))
    : failure(401, "this socket serves this machine's data plane only");
  response.writeHead(relayed.status, relayed.headers ?? { "content-type": "application/json" });
  response.end(relayed.text);
}

function isAuthorized({ headers }: IncomingMessage, key: string): boolean {
  const sent = Buffer.from(headers.authorization ?? "");
  const expected = Buffer.from(`Bearer ${key}`);
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}

async function answer(request: IncomingMessage, link: RouterLink): Promise<Relayed> {
  const { pathname, search, searchParams } = new URL(request.url ?? "/", "http://relay");
  if (pathname === "/mesh/router/table") return tableAfter(link, Number(searchParams.get("after") ?? -1));
  if (pathname === "/mesh/router/stats" && request.method === "GET")
    return link.stats(search, String(request.headers["x-waggle-authorization"] ?? ""));
  const route = /^\/mesh\/router\/(suspects|counters)$/.exec(pathname)?.[1];
  if (route === undefined || request.method !== "POST") return failure(404, "page not found");
  const body = await readBody(request);
  return body === null ? failure(413, `more than ${maxRelayBytes} bytes`) : link.send(route, body);
}

/**
 * The table if it is newer. Without one, a link that has a problem fails as the registry itself would: the data
 * plane then knows that its table may not be the newest.
 */
function tableAfter({ held, problem }: RouterLink, afterVersion: number): Relayed {
  if (held !== null && held.version > afterVersion) return { status: 200, text: JSON.stringify(held) };
  if (held === null || problem !== null) return failure(503, problem ?? "no routing table has come yet");
  const { version, tokenMarks } = held;
  return { status: 200, text: JSON.stringify({ version, text: null, tokenMarks }) };
}

async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRelayBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function failure(status: number, message: string): Relayed {
  return { status, text: JSON.stringify({ message }) };
}
