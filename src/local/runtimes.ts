// The Workers runtime of a mesh on this machine: one child process, or two if the mesh is split.

import { join } from "node:path";
import { type MeshChild, startChild } from "./child.ts";
import type { RuntimeInput, RuntimeReady } from "./runtime-child.ts";
import type { MeshSecrets } from "./state-folder.ts";

export type RuntimesOptions = {
  readonly stateDir: string;
  readonly logDir: string;
  /** The edge's port for the default service. */
  readonly edgePort: number;
  /** Runs the control API with the registry, and the data plane, as two processes. */
  readonly split?: boolean;
};

export type Runtimes = RuntimeReady & {
  /** In stop order: the process with the registry is last. */
  readonly children: readonly MeshChild<RuntimeReady>[];
};

export async function startRuntimes(options: RuntimesOptions, secrets: MeshSecrets): Promise<Runtimes> {
  if (options.split !== true) {
    const runtime = await startRuntime("whole", "runtime", options, secrets);
    return { children: [runtime], ...runtime.ready };
  }
  const control = await startRuntime("control", "runtime", options, secrets);
  try {
    const traffic = await startRuntime("traffic", "traffic", options, secrets);
    const { controlPort } = control.ready;
    return { children: [traffic, control], controlPort, entryPort: traffic.ready.entryPort };
  } catch (error) {
    terminateRuntimes([control]);
    throw error;
  }
}

function startRuntime(
  part: RuntimeInput["part"],
  name: string,
  { stateDir, logDir, edgePort }: RuntimesOptions,
  secrets: MeshSecrets,
): Promise<MeshChild<RuntimeReady>> {
  const input: RuntimeInput = { part, stateDir, balancerPort: edgePort, secrets };
  return startChild("./runtime-child.ts", `${stateDir}:${name}`, input, join(logDir, `${name}.log`));
}

/** Sends SIGTERM without waiting for the exit. */
export function terminateRuntimes(runtimes: Runtimes["children"]): void {
  for (const runtime of runtimes) runtime.process.kill("SIGTERM");
}
