// Ports for tasks: free ones on the node's own address, chosen by the system.

import { lookup } from "node:dns/promises";
import { createServer, isIP } from "node:net";
import { isLoopback } from "../../domain/model/dialed-host.ts";
import { MeshError } from "../../domain/model/error.ts";

/** A released port is not reused for this time: an edge with an older table may still send requests to it. */
const portQuarantineMs = 60_000;

/**
 * The address that the gateway listens on: the node's own. It is 0.0.0.0 for a name that does not resolve to an
 * address of this machine, for example behind NAT or a load balancer.
 *
 * @throws MeshError address/invalid for an IP address of another machine
 */
export async function listenHost(address: string): Promise<string> {
  const isName = isIP(address) === 0;
  const host = isName ? await resolveName(address) : address;
  if (host !== null && (await canListen(host))) return host;
  if (isName) return "0.0.0.0";
  throw new MeshError(
    "address/invalid",
    `this machine cannot listen on ${address}: give one of its own addresses, or a name that resolves to one, with --address`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * The address that tasks listen on, which only this machine reaches: the node's own if that is a loopback
 * address, so that the nodes of a mesh on one machine do not share ports.
 */
export function taskHost(address: string): string {
  return isIP(address) === 4 && isLoopback(address) ? address : "127.0.0.1";
}

/** The HTTP origin of a port. @param host may be an IPv6 address */
export function httpOrigin(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Allocates free ports of one address. */
export class PortAllocator {
  readonly #host: string;
  readonly #nowMs: () => number;
  /** Until when each port is in use or in quarantine, epoch milliseconds; infinite while a task uses it. */
  readonly #blockedUntilMs = new Map<number, number>();

  constructor(host: string, nowMs: () => number) {
    this.#host = host;
    this.#nowMs = nowMs;
  }

  /** Allocates `count` ports that are free now. Another process may still take one before the task does. */
  async allocate(count: number): Promise<readonly number[]> {
    const ports: number[] = [];
    while (ports.length < count) {
      const port = await freePort(this.#host);
      if ((this.#blockedUntilMs.get(port) ?? 0) > this.#nowMs()) continue;
      this.reserve([port]);
      ports.push(port);
    }
    return ports;
  }

  /** Marks ports as in use. */
  reserve(ports: readonly number[]): void {
    for (const port of ports) this.#blockedUntilMs.set(port, Number.POSITIVE_INFINITY);
  }

  /** Releases ports into quarantine. */
  release(ports: readonly number[]): void {
    const nowMs = this.#nowMs();
    for (const [port, untilMs] of this.#blockedUntilMs)
      if (untilMs <= nowMs) this.#blockedUntilMs.delete(port);
    for (const port of ports) this.#blockedUntilMs.set(port, nowMs + portQuarantineMs);
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
function freePort(host: string): Promise<number> {
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
