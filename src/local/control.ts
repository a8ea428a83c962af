// `waggle control`: the control plane of a mesh on your own machines. It runs the registry and the control API;
// balancers and nodes on this machine and on others open the published ports.

import type { HandOver } from "../agent/hand-over.ts";
import { createClient } from "../cli/client.ts";
import { signInUrl } from "../cli/dashboard.ts";
import { printableSink } from "../cli/output.ts";
import { printable } from "../domain/model/printable.ts";
import { hostPort } from "../domain/model/server.ts";
import { commandLine } from "../package/program-files.ts";
import { advertisedHost } from "./addresses.ts";
import { dropFailedWrites } from "./child-log.ts";
import { type ControlPlane, type LocalMesh, type MeshOptions, startMesh } from "./mesh.ts";
import { waitForStopSignal } from "./up.ts";

export type ControlOptions = Pick<
  MeshOptions,
  "stateDir" | "controlPort" | "edgePort" | "operatorListens" | "variables"
> & {
  readonly plane: ControlPlane;
  readonly handOver: HandOver;
  readonly out: NodeJS.WriteStream;
};

/** @returns the exit code: 0 after an orderly stop, 1 if the start failed or it could not continue */
export async function runControl({ plane, handOver, out, ...options }: ControlOptions): Promise<number> {
  // The output may be a file, and its disk may fill up.
  dropFailedWrites();
  const sink = printableSink(out);
  const print = (line: string): void => void sink.write(`${printable(line)}\n`);
  const stopSignal = waitForStopSignal();
  let mesh: LocalMesh;
  try {
    mesh = await startMesh({
      ...options,
      controlPlane: plane,
      nodes: 0,
      runtime: "process",
      listen: "127.0.0.1",
      log: print,
    });
  } catch (error) {
    print(`waggle control: ${(error as Error).message}`);
    return 1;
  }
  handOver.serving();
  await printAddresses(mesh, plane, options.stateDir, print).catch((error: Error) => print(error.message));
  const end = await Promise.race([stopSignal.promise, mesh.lost]);
  if (end !== null) print(`waggle control: ${end}`);
  print("Stopping the control plane; balancers and nodes go on");
  await mesh.stop();
  return end === null ? 0 : 1;
}

async function printAddresses(
  { control, token, origin }: LocalMesh,
  { secured }: ControlPlane,
  stateDir: string,
  print: (line: string) => void,
): Promise<void> {
  const client = createClient({ url: control, token, source: "waggle control" });
  const restored = origin.kind === "new" ? "a new mesh" : "a mesh of an earlier start";
  print(`The control plane of ${restored} runs; its state is in ${stateDir}`);
  print(`On this machine: ${control}   the operator's token is in ${stateDir}/secrets.json`);
  print(`Dashboard: ${await signInUrl(client, control)}`);
  if (secured !== null) {
    const host = hostPort(advertisedHost(secured.address), secured.port);
    print(`For other machines: https://${host}, by a name of its certificate`);
    print(`A balancer: waggle edge --join "$(${commandLine(process.env)} join-token -q)" https://${host}`);
  } else print("Other machines cannot reach it: --tls PATH opens it for them");
}
