// The addresses of the nodes of a mesh on one machine. On Linux every address of 127.0.0.0/8 is local, so
// each node gets its own. On other systems the nodes share 127.0.0.1 and differ by port.

import { createServer } from "node:net";
import { hostname } from "node:os";
import { parseIp } from "../domain/model/cidr.ts";
import { isLoopback } from "../domain/model/dialed-host.ts";

export type AddressPlan =
  /** node1 at 127.0.0.2, node2 at 127.0.0.3 …; each listens on the published port itself. */
  | { readonly kind: "own" }
  /** All at 127.0.0.1: node N listens for published port P on P + N x 10000, or on any free port. */
  | { readonly kind: "shared" };

/** Chooses the plan by checking whether 127.0.0.2 can be bound. */
export async function planAddresses(): Promise<AddressPlan> {
  return (await bindError("127.0.0.2", 0)) === null ? { kind: "own" } : { kind: "shared" };
}

/** Address of node `ordinal` (1, 2, …). */
export function nodeAddress(plan: AddressPlan, ordinal: number): string {
  return plan.kind === "own" ? `127.0.0.${ordinal + 1}` : "127.0.0.1";
}

/**
 * The addresses that `waggle up` confirms for nodes, as its operator. Only agents of this machine can reach a
 * control API that listens on loopback, so any loopback address is theirs.
 *
 * @param listen the address of the control API
 */
export function confirmedAddresses(plan: AddressPlan, nodes: number, listen: string): readonly string[] {
  if (isLoopback(listen)) return ["127.0.0.0/8", "::1"];
  return [...new Set(Array.from({ length: nodes }, (_, index) => nodeAddress(plan, index + 1)))];
}

/** True if a socket at `listen` gets the connections to `address`: `0.0.0.0` and `::` have all addresses. */
export function coversAddress(listen: string, address: string): boolean {
  if (!isUnspecified(listen)) return listen === address;
  return parseIp(listen)?.length === 16 || parseIp(address)?.length === 4;
}

/** The host at which other programs reach a socket at `listen`: this machine's name if it has all addresses. */
export function advertisedHost(listen: string): string {
  return isUnspecified(listen) ? hostname() : listen;
}

function isUnspecified(address: string): boolean {
  return parseIp(address)?.every((byte) => byte === 0) ?? false;
}

/** Node's errors of an address that this machine does not have. */
const unknownAddressCodes: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EAI_AGAIN",
  "EINVAL",
  "ENOTFOUND",
]);

/** Why `address:port` cannot be bound, and what would work. @param code of `bindError` */
export function bindReason(code: string, address: string, flag: string): string {
  if (unknownAddressCodes.has(code))
    return `this machine has no address ${address} (${code}); choose another with --listen ADDRESS`;
  const reason = code === "EADDRINUSE" ? "another process listens there; stop it, or" : `${code};`;
  return `${reason} choose another port with ${flag} N`;
}

/** The port that a node listens on for a published port; 0 for any free port. */
export function nodePort(plan: AddressPlan, ordinal: number, published: number): number {
  if (plan.kind === "own") return published;
  const shifted = published + ordinal * 10_000;
  return shifted <= 65_535 ? shifted : 0;
}

/** Node's error code if `address:port` cannot be bound; null if it can. */
export function bindError(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
