// Published ports that could not be opened on this machine, as `waggle up` notes them in the state folder. The mesh
// itself cannot know: to it a port is published, and who listens for it is its machine's affair.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StatusProblem } from "../protocol/status.ts";

export const closedPortsFile = "closed-ports.json";

/** One address and port that should be open and is not. */
export type ClosedPort = {
  /** Whose it is: `node1`, `balancer`. */
  readonly owner: string;
  readonly address: string;
  readonly port: number;
  /** Why, and what is done about it. */
  readonly why: string;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
};

/** What is wrong with the ports of the mesh that keeps its state there; nothing where nobody noted anything. */
export async function closedPortProblems(stateDir: string): Promise<StatusProblem[]> {
  const text = await readFile(join(stateDir, closedPortsFile), "utf8").catch(() => "[]");
  return (JSON.parse(text) as ClosedPort[]).map(({ owner, address, port, why, sinceMs }) => {
    const next = "Stop the process that listens there, or publish another port.";
    return { what: `port ${address}:${port} of ${owner}`, why: `not open: ${why}`, next, sinceMs };
  });
}
