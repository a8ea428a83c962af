// The open connections between tasks of this node and those of other nodes. They end when the other node is removed
// from the mesh, or has no task on the network any more: its keys then open no further ones.

import type { Duplex } from "node:stream";
import type { NamedNetwork } from "../../protocol/agent.ts";

/** Another node with tasks on a network. */
export type Peer = { readonly networkId: string; readonly nodeId: string };

export class PeerConnections {
  #peers: ReadonlySet<string> = new Set();
  readonly #open = new Map<string, Set<Duplex>>();

  /** Adds a connection to a peer or from it. False: the node has left the network, and the connection ends. */
  add(peer: Peer, connection: Duplex): boolean {
    const key = keyOf(peer);
    if (!this.#peers.has(key)) {
      connection.destroy();
      return false;
    }
    const open = this.#open.get(key) ?? new Set();
    this.#open.set(key, open.add(connection));
    connection.once("close", () => {
      open.delete(connection);
      if (open.size === 0 && this.#open.get(key) === open) this.#open.delete(key);
    });
    return true;
  }

  /** Takes the peers of all networks, and ends the connections with other nodes. */
  apply(networks: readonly NamedNetwork[]): void {
    this.#peers = new Set(
      networks.flatMap(({ id, peers }) => peers.map(({ nodeId }) => keyOf({ networkId: id, nodeId }))),
    );
    for (const [key, open] of this.#open) {
      if (this.#peers.has(key)) continue;
      for (const connection of [...open]) connection.destroy();
    }
  }
}

function keyOf({ networkId, nodeId }: Peer): string {
  return `${networkId} ${nodeId}`;
}
