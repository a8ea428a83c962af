// The entry facts of a request in a mesh on one machine: where it came in and from whom. The listener that
// accepted the connection sends them to the Worker in one header, `x-waggle-entry`, with a seal.
//
// The seal authenticates the facts and nothing else. A reader of a request's header can only repeat
// what is already true of that client, so the header reveals no secret.

import type { EntryPoint } from "./entry-point.ts";

/** The name of the header, lower case. */
export const entryHeader = "x-waggle-entry";

/** `control`: the port of the control API. `table`: no client, but the mesh itself, with its routing table. */
export type EntryFacts = Pick<EntryPoint, "node" | "port" | "client" | "scheme"> & {
  readonly role: EntryPoint["role"] | "control" | "table";
};

/** The facts as text: `edge|ingress|control|table NODE|- PORT|- CLIENT http|https`. */
export function printEntryFacts({ role, node, port, client, scheme }: EntryFacts): string {
  return `${role} ${node ?? "-"} ${port ?? "-"} ${client} ${scheme}`;
}

function readEntryFacts(text: string): EntryFacts | null {
  const match = /^(edge|ingress|control|table) (\S+) (\d{1,5}|-) (\S+) (https?)$/.exec(text);
  if (match === null) return null;
  const [, role, node, port, client, scheme] = match as unknown as [string, ...string[]];
  return {
    role: role as EntryFacts["role"],
    node: node === "-" ? null : (node as string),
    port: port === "-" ? null : Number(port),
    client: client as string,
    scheme: scheme as EntryFacts["scheme"],
  };
}

/** A seal: 32 bytes as base64url. */
const sealPattern = /^[\w-]{43}$/;

/** Headers that an isolate remembers. Each client address has one for each port that it uses. */
const maxRemembered = 4_096;

/**
 * Verifies entry headers: facts, a space, and the base64url of the HMAC-SHA-256 of the facts. It remembers
 * the valid ones, because a verification costs more than reading a request.
 *
 * @see docs/decisions/0055-http-parser-of-listeners.md
 */
export class EntrySeals {
  readonly #secret: string;
  #key: Awaited<ReturnType<typeof crypto.subtle.importKey>> | null = null;
  readonly #verified = new Map<string, EntryFacts>();

  /** @param secret what the listeners of this mesh share, made at its start */
  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The facts of a header; null if the seal is not valid. Waits only for a header not seen before. */
  open(header: string): EntryFacts | null | Promise<EntryFacts | null> {
    return this.#verified.get(header) ?? this.#verify(header);
  }

  async #verify(header: string): Promise<EntryFacts | null> {
    const end = header.lastIndexOf(" ");
    const text = header.slice(0, Math.max(0, end));
    const facts = readEntryFacts(text);
    const sealText = header.slice(end + 1);
    if (facts === null || !sealPattern.test(sealText)) return null;
    const seal = fromBase64Url(sealText);
    const bytes = new TextEncoder();
    const hmac = { name: "HMAC", hash: "SHA-256" };
    // The key, not its promise: a promise belongs to the request that made it.
    this.#key ??= await crypto.subtle.importKey("raw", bytes.encode(this.#secret), hmac, false, ["verify"]);
    if (!(await crypto.subtle.verify("HMAC", this.#key, seal, bytes.encode(text)))) return null;
    if (this.#verified.size >= maxRemembered) this.#verified.clear();
    this.#verified.set(header, facts);
    return facts;
  }
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
}
