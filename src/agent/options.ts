// The options of an agent, and their defaults.

import { defaultGatewayPort } from "../gateway/attempt.ts";
import type { HandOver } from "./hand-over.ts";
import type { NodeIngress } from "./ingress.ts";

export type AgentOptions = {
  /** `balancer`: this machine opens the published ports as the edge does, and takes no tasks. Absent: a node. */
  readonly kind?: "balancer";
  /** Opens the published ports on this machine. Absent: it opens none. */
  readonly ingress?: NodeIngress;
  /** The control URL of the mesh: `https://control.example.com`, `http://127.0.0.1:8787`. */
  readonly url: string;
  /** The join token. Not needed if the state folder has the credential of a node. */
  readonly token?: string;
  /** The folder of the node's credential, task records and logs. One agent at a time can use it. */
  readonly stateDir: string;
  readonly hostname: string;
  /** Host of this node's gateway: a DNS name, or an IP address of this machine. */
  readonly address: string;
  /** The address of this machine that the gateway listens on. Absent: that of `address`. */
  readonly gatewayListen?: string;
  /** The TCP port of the gateway; 0: any free one, and the same after a restart. */
  readonly gatewayPort: number;
  /** PEM files of the gateway's certificate, with its chain, and of its key. Absent: it speaks plain HTTP. */
  readonly gatewayTls?: { readonly certFile: string; readonly keyFile: string };
  /** `auto`: Docker if a daemon answers, else processes. */
  readonly runtime: "process" | "docker" | "auto";
  /** With Docker: containers and Swarms that run here without the mesh are reported as discovered services. */
  readonly discovers: boolean;
  /** A JSON file with further images of the process runtime, see runtimes/images.ts. */
  readonly images?: string;
  /** How long a leaving agent waits for replacements of its tasks on other nodes, milliseconds. */
  readonly drainTimeoutMs: number;
  /** `keep`: tasks keep running after the agent ends, for the next agent of this state folder. */
  readonly onStop: "stop" | "keep";
  /**
   * This process follows another one, and is followed by others. Its parent holds the lock of the state folder then.
   * Absent: it is the only one.
   */
  readonly handOver?: HandOver;
  /** Called after each assignment that the registry sends. */
  readonly onAssigned?: () => void;
  /** Writes one log line, which has a timestamp, no line end and no secrets. */
  readonly log: (line: string) => void;
};

/** The defaults of `waggle agent`. */
export const defaultAgentOptions = {
  stateDir: ".waggle-agent",
  gatewayPort: defaultGatewayPort,
  runtime: "auto",
  discovers: true,
  drainTimeoutMs: 10_000,
  onStop: "stop",
} as const satisfies Partial<AgentOptions>;
