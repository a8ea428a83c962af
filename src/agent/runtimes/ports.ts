// The ports of a node's tasks: free ones, chosen by the system on the node's own address.

import { lookup } from "node:dns/promises";
import { createServer, isIP } from "node:net";
import { MeshError } from "../../domain/model/error.ts";

/** A port is not given out again for this long: an edge's table may still send its last owner's requests there. */
const portQuarantineMs = 60_000;

/**
 * The address tasks listen on: the node's own. A name that does not lead to an address of this machine (the machine
 * is behind NAT, or a balancer) leaves only all addresses.
 *
 * @throws MeshError address/invalid for an IP address that is not this machine's
 */
export async function listenHost(address: string): Promise<string> {
  const named = isIP(address) === 0;
  const host = named ? await resolveName(address) : address;
  if (host !== null && (await canListen(host))) return host;
  if (named) return "0.0.0.0";
  throw new MeshError(
    "address/invalid",
    `this machine cannot listen on ${address}: give one of its own addresses, or a name that leads to it, with --address`,
    { blame: "operator", retry: "never" },
  );
}

/** The origin of a port at a host, which may be an IPv6 address. */
export function httpOrigin(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Hands out free ports of one address. */
export class PortAllocator {
  readonly #host: string;
  readonly #nowMs: () => number;
  /** When each port was last in our tasks' use; in the future while it is. */
  readonly #usedUntilMs = new Map<number, number>();

  constructor(host: string, nowMs: () => number) {
    this.#host = host;
    this.#nowMs = nowMs;
  }

  /** `count` different free ports, kept until released. Another process may still take one before it is listened on. */
  async allocate(count: number): Promise<readonly number[]> {
    const ports: number[] = [];
    while (ports.length < count) {
      const port = await freePort(this.#host);
      if ((this.#usedUntilMs.get(port) ?? 0) > this.#nowMs()) continue;
      this.reserve([port]);
      ports.push(port);
    }
    return ports;
  }

  /** Notes ports that are in use. */
  reserve(ports: readonly number[]): void {
    for (const port of ports) this.#usedUntilMs.set(port, Number.POSITIVE_INFINITY);
  }

  /** Gives ports back; they rest before they are handed out again. */
  release(ports: readonly number[]): void {
    const nowMs = this.#nowMs();
    for (const [port, untilMs] of this.#usedUntilMs) if (untilMs <= nowMs) this.#usedUntilMs.delete(port);
    for (const port of ports) this.#usedUntilMs.set(port, nowMs + portQuarantineMs);
  }
}

async function resolveName(name: string): Promise<string | null> {
  try {
    return (await lookup(name)).address;
  } catch {
    return null;
  }
}

async function canListen(host: string): Promise<boolean> {
  try {
    await freePort(host);
    return true;
  } catch {
    return false;
  }
}

/** A port of `host` that no process listens on now; rejects if this machine cannot listen on `host`. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port: 0, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === "object" ? (address?.port ?? 0) : 0;
      server.close(() => resolve(port));
    });
  });
}
