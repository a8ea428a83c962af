// What an agent is told when it is started.

export type AgentOptions = {
  /** The control URL of the mesh: `https://control.example.com`, `http://127.0.0.1:8787`. */
  readonly url: string;
  /** The join token; not needed once the node has joined and its state folder is kept. */
  readonly token?: string;
  /** Holds the node's credential, its tasks' records and logs. One agent at a time. */
  readonly stateDir: string;
  readonly hostname: string;
  /** Host part under which this node's tasks are dialled: a DNS name, or an IP address of this machine. */
  readonly address: string;
  readonly runtime: "process" | "docker";
  /** A JSON file with further images of the process runtime, see runtimes/images.ts. */
  readonly images?: string;
  /** How long a leaving agent waits for its tasks to be replaced elsewhere, milliseconds. */
  readonly drainTimeoutMs: number;
  /** `keep`: tasks go on running when the agent ends, for the next agent of this state folder. */
  readonly onStop: "stop" | "keep";
  /** Called each time the registry has taken this node in and sent its assignment. */
  readonly onAssigned?: () => void;
  /** Takes one line of what happens, time-stamped, without line end. Nothing secret is in it. */
  readonly log: (line: string) => void;
};

/** What `waggle agent` uses where nothing else is said. */
export const defaultAgentOptions = {
  stateDir: ".waggle-agent",
  runtime: "process",
  drainTimeoutMs: 10_000,
  onStop: "stop",
} as const satisfies Partial<AgentOptions>;
