// The ingress of this machine as its agent starts it: the published ports of the mesh, open on this machine.
// It runs in processes of its own (src/local/node-ingress.ts).

import type { JoinReply, ListenersReport, NodeDescription } from "../protocol/agent.ts";
import type { AgentOptions } from "./options.ts";

/** What the agent knows once it has joined. */
export type IngressContext = Pick<
  AgentOptions,
  "url" | "hostname" | "address" | "stateDir" | "kind" | "log" | "handOver"
> & {
  readonly membership: JoinReply;
  readonly runtime: NodeDescription["runtime"];
  /** Receives the state of the listeners each time it changes. */
  readonly onListeners: (report: ListenersReport) => void;
};

export type RunningIngress = {
  readonly stop: () => Promise<void>;
  /**
   * Serves the connections that it has accepted, and no others: another process has the sockets.
   *
   * @param graceMs for open requests and connections
   */
  readonly handOver: (graceMs: number) => Promise<void>;
};

export type NodeIngress = {
  /** What the agent's lock says of this process, JSON data. */
  readonly lockNote: object;
  /** Rejects with a MeshError if it can never work. */
  readonly start: (context: IngressContext) => Promise<RunningIngress>;
  /** Removes what it has saved of a mesh of which this machine is no longer a node: its table and its keys. */
  readonly forget: (stateDir: string) => void;
};
