// The published ports that the listeners of this machine could not open, as the process that runs them records them in
// the state folder. The control API reads them there: it runs in another process.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClosedPort } from "../domain/model/node-listeners.ts";
import { StateFile } from "./state-file.ts";

const closedPortsFile = "closed-ports.json";

/** The file to which all closed ports are written, each time they change. */
export function closedPortsRecord(stateDir: string, log: (line: string) => void): StateFile {
  return new StateFile(join(stateDir, closedPortsFile), log);
}

/** Empty if the file does not exist. */
export async function readClosedPorts(stateDir: string): Promise<readonly ClosedPort[]> {
  const text = await readFile(join(stateDir, closedPortsFile), "utf8").catch(() => "[]");
  return JSON.parse(text) as ClosedPort[];
}
