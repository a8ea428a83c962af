// What stands between the load and the tasks, and what can be done to it. Both sides of the comparison are one.

/** What runs behind a contender. */
export type Setup = {
  readonly tasks: number;
  /** Variables of the task program, see faulty.ts. */
  readonly env: Readonly<Record<string, string>>;
};

/** Nodes are numbered from 1; node N has the address 127.0.0.(N+1). Task N runs on node ((N-1) mod 3) + 1 at first. */
export type Contender = {
  readonly name: "Waggle" | "HAProxy";
  /** Where the load goes. */
  readonly url: string;
  /** Ends a task's process outright. */
  readonly killTask: (slot: number) => Promise<void>;
  /** Stops the processes of a node without ending them; returns what wakes them. */
  readonly freezeNode: (node: number) => Promise<() => void>;
  readonly scale: (tasks: number) => Promise<void>;
  /** Empties a node for maintenance. */
  readonly drain: (node: number) => Promise<void>;
  /** Replaces every task, one after the other. */
  readonly roll: () => Promise<void>;
  /** Ends the agent of a node outright; null where there is none. */
  readonly killAgent: ((node: number) => Promise<void>) | null;
  /** Ends the registry outright, and keeps it from coming back; returns what lets it. Null where there is none. */
  readonly killRegistry: (() => Promise<() => void>) | null;
  readonly stop: () => Promise<void>;
};

export const nodeCount = 3;

export const nodeAddress = (node: number): string => `127.0.0.${node + 1}`;
