// The limit of a task's open requests, which its node's gateway keeps for all routers together.

export type TaskLimit = {
  /** Open requests at a time, from 1. */
  readonly maxconn: number;
  /** Requests that may wait for one of them to end. */
  readonly queue: number;
  /** How long one may wait, milliseconds. */
  readonly queueTimeoutMs: number;
};

/** The queue of a service with a maximum of open requests and no label for its queue. */
export const defaultQueue: Pick<TaskLimit, "queue" | "queueTimeoutMs"> = {
  queue: 100,
  queueTimeoutMs: 5_000,
};
