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
import { type ControlPlane, type LocalMesh, type MeshOptions, requireStartable, startMesh } from "./mesh.ts";
import { shellWord } from "./next-steps.ts";
import { readUsedCertificates } from "./tls/used-certificates.ts";
import { waitForStopSignal } from "./up.ts";

export type ControlOptions = Pick<
  MeshOptions,
  "stateDir" | "controlPort" | "edgePort" | "operatorListens" | "variables"
> & {
  readonly plane: ControlPlane;
  /** Resolves when the process before this one has ended. */
  readonly hasSockets: Promise<void>;
  readonly handOver: HandOver;
  readonly out: NodeJS.WriteStream;
};

/** @returns the exit code: 0 after an orderly stop, 1 if the start failed or it could not continue */
export async function runControl({
  plane,
  hasSockets,
  handOver,
  out,
  ...options
}: ControlOptions): Promise<number> {
  // The output may be a file, and its disk may fill up.
  dropFailedWrites();
  const sink = printableSink(out);
  const print = (line: string): void => void sink.write(`${printable(line)}\n`);
  let stopSignal: ReturnType<typeof waitForStopSignal>;
  let mesh: LocalMesh;
  try {
    const used = handOver.isSuccessor ? readUsedCertificates(options.stateDir) : [];
    requireStartable(plane, options.variables, used);
    handOver.prepared();
    await hasSockets;
    stopSignal = waitForStopSignal();
    mesh = await startMesh({
      ...options,
      controlPlane: plane,
      nodes: 0,
      runtime: "process",
      listen: "127.0.0.1",
      log: print,
    });
  } catch (error) {
    const { message } = error as Error;
    print(`waggle control: ${message}`);
    handOver.refused(`cannot start: ${message}`);
    return 1;
  }
  handOver.serving();
  const client = createClient({ url: mesh.control, token: mesh.token, source: "waggle control" });
  // Without a terminal the output is a log, such as systemd's journal, whose readers may not sign in.
  const link =
    sink.isTTY === true ? await signInUrl(client, mesh.control).catch((error: Error) => error.message) : null;
  addressLines(mesh, plane, options.stateDir, commandLine(process.env), link).forEach(print);
  const end = await Promise.race([stopSignal.promise, mesh.lost]);
  if (end !== null) print(`waggle control: ${end}`);
  print("Stopping the control plane; balancers and nodes go on");
  await mesh.stop();
  return end === null ? 0 : 1;
}

/**
 * What the control plane prints once it runs.
 *
 * @param program the command `waggle` as its user calls it
 * @param signInLink null: the lines name the command that creates one
 * @see docs/spec.md U503
 */
export function addressLines(
  { control, origin }: Pick<LocalMesh, "control" | "origin">,
  { secured }: Pick<ControlPlane, "secured">,
  stateDir: string,
  program: string,
  signInLink: string | null,
): readonly string[] {
  const restored = origin.kind === "new" ? "a new mesh" : "a mesh of an earlier start";
  // The log is read in other folders, and by other users.
  const here = `${program} --state ${shellWord(stateDir)}`;
  const dashboard = signInLink ?? `\`${here} dashboard\` prints a link that signs you in`;
  const lines = [
    `The control plane of ${restored} runs; its state is in ${stateDir}`,
    `On this machine: ${control}   the operator's token is in ${stateDir}/secrets.json`,
    `Dashboard: ${dashboard}`,
  ];
  if (secured === null) return [...lines, "Other machines cannot reach it: --tls PATH opens it for them"];
  const host = hostPort(advertisedHost(secured.address), secured.port);
  return [
    ...lines,
    `For other machines: https://${host}, by a name of its certificate`,
    `A balancer: waggle edge --join "$(${here} join-token -q)" https://${host}`,
  ];
}
