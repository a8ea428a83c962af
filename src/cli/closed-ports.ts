// Published ports that `waggle up` could not open on this machine, as recorded in its state folder. The
// registry does not know them, because the listeners belong to the machine.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hostPort } from "../domain/model/server.ts";
import type { StatusProblem } from "../protocol/status.ts";

export const closedPortsFile = "closed-ports.json";

/** An address and port that should be open and is not. */
export type ClosedPort = {
  /** The entry point that should listen: `node1`, `balancer`. */
  readonly owner: string;
  readonly address: string;
  readonly port: number;
  /** The error, and whether opening is retried. */
  readonly why: string;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
};

/** The closed ports of the mesh in a state folder, as problems; none if the file does not exist. */
export async function closedPortProblems(stateDir: string): Promise<StatusProblem[]> {
  const text = await readFile(join(stateDir, closedPortsFile), "utf8").catch(() => "[]");
  return (JSON.parse(text) as ClosedPort[]).map(({ owner, address, port, why, sinceMs }) => {
    const nextStep = "Stop the process that listens there, or publish another port.";
    return {
      what: `port ${hostPort(address, port)} of ${owner}`,
      why: `not open: ${why}`,
      next: nextStep,
      sinceMs,
    };
  });
}
