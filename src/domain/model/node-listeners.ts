// The published ports that a machine opens itself (`waggle agent --ingress`, `waggle edge`).

/** A published port that should be open and is not. */
type ClosedListener = {
  readonly port: number;
  /** The reason, for people. */
  readonly why: string;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
};

/** An address and port at which the listeners of this machine should be open and are not. */
export type ClosedPort = ClosedListener & {
  /** The entry point that should listen: `node1`, `balancer`. */
  readonly owner: string;
  readonly address: string;
};

/** What the machine's agent reported last. */
export type NodeListeners = {
  /** Number of ports that are open. */
  readonly open: number;
  readonly closed: readonly ClosedListener[];
};

/** Closed ports that an agent reports at most; the others have the same few reasons. */
export const maxClosedListeners = 100;

/** The state of the listeners in a few words: `3 ports open`, `2 of 3 ports open`. */
export function listenersText({ open, closed }: NodeListeners): string {
  const all = open + closed.length;
  const ports = all === 1 ? "port" : "ports";
  return closed.length === 0 ? `${open} ${ports} open` : `${open} of ${all} ${ports} open`;
}
