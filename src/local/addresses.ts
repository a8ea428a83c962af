// Where each node of a mesh on one machine answers. Linux gives every machine all of 127.0.0.0/8, so nodes get
// addresses of their own as machines would; elsewhere they share 127.0.0.1 and their ports tell them apart.

import { createServer } from "node:net";

export type AddressPlan =
  /** node1 at 127.0.0.2, node2 at 127.0.0.3 …: a published port is the same on each. */
  | { readonly kind: "own" }
  /** All at 127.0.0.1: node N answers published port P at P + N x 10000, or at any free port. */
  | { readonly kind: "shared" };

/** Finds out whether 127.0.0.2 can be bound. */
export async function planAddresses(): Promise<AddressPlan> {
  return (await bindError("127.0.0.2", 0)) === null ? { kind: "own" } : { kind: "shared" };
}

/** Address of node `ordinal` (1, 2, …). */
export function nodeAddress(plan: AddressPlan, ordinal: number): string {
  return plan.kind === "own" ? `127.0.0.${ordinal + 1}` : "127.0.0.1";
}

/** The port a node listens on for a published port; 0: any free one. */
export function nodePort(plan: AddressPlan, ordinal: number, published: number): number {
  if (plan.kind === "own") return published;
  const moved = published + ordinal * 10_000;
  return moved <= 65_535 ? moved : 0;
}

/** Why `address:port` cannot be bound, as Node's error code; null when it can. */
export function bindError(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
