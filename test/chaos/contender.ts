// A contender of the chaos run: Waggle or HAProxy with its tasks, and the failures that a scenario can cause.

/** The number of a POST is its body, and this header. */
export const postIdHeader = "x-chaos-id";

/** Why a contender cannot do something, for the table. */
type Unable = string;

/** The tasks behind a contender. */
export type Setup = {
  readonly tasks: number;
  /** Environment of the task program, see faulty.ts. */
  readonly env: Readonly<Record<string, string>>;
};

/** Node N, from 1, has the address 127.0.0.(N+1), unless nodes are machines of their own. Task N starts on node ((N-1) mod 3) + 1. */
export type Contender = {
  readonly name: "Waggle" | "HAProxy";
  /** Where the load goes. */
  readonly url: string;
  /** Kills a task's process with SIGKILL. */
  readonly killTask: (slot: number) => Promise<void>;
  /** Freezes the processes of a node with SIGSTOP. @returns a function that thaws them */
  readonly freezeNode: (node: number) => Promise<() => void>;
  /** Loses each packet to and from a node. @returns a function that ends it */
  readonly cutNode: (node: number) => Promise<() => void>;
  readonly scale: (tasks: number) => Promise<void>;
  /** Moves all tasks off a node. */
  readonly drain: (node: number) => Promise<void>;
  /** Replaces all tasks, one after the other. */
  readonly roll: () => Promise<void>;
  /** Kills the agent of a node, and so its gateway, with SIGKILL. It is started again after a moment. */
  readonly killAgent: ((node: number) => Promise<void>) | Unable;
  /** Kills the registry and prevents its restart. @returns a function that allows the restart */
  readonly killRegistry: (() => Promise<() => void>) | Unable;
  /** Replaces the key of the gateways. */
  readonly rotateKey: (() => Promise<void>) | Unable;
  /** Null if the nodes are no machines of their own. */
  readonly machines: Machines | null;
  readonly stop: () => Promise<void>;
};

/** How the mesh reaches the gateways of nodes on machines of their own. */
export type LabTransport = "direct" | "tunnel";

/** What can happen to nodes on machines of their own, see infra/lab/. */
export type Machines = {
  readonly transport: LabTransport;
  /** Starts a node's agent, which joins, or comes back with the state that it has. */
  readonly start: (node: number) => Promise<void>;
  /** Stops a node's agent as systemd does, and waits until the node has left. */
  readonly leave: (node: number) => Promise<void>;
  /** Number of running tasks of a node. */
  readonly tasks: (node: number) => Promise<number>;
  /** Resets the connections of a node to the mesh, and new ones. @returns a function that ends it */
  readonly resetConnections: (node: number) => () => void;
};

export const nodeCount = 3;

export const nodeAddress = (node: number): string => `127.0.0.${node + 1}`;
