// Waits until a service has converged, with progress on standard error.

import type { Cli } from "../cli.ts";
import { filterQuery, type MeshClient } from "../client.ts";
import { printDurationNs } from "../duration.ts";
import type { EngineService } from "../engine.ts";
import { CliError, exitCodes, refused } from "../errors.ts";
import { isComplete, progressLines, type ServiceProgress, serviceProgress } from "../progress.ts";
import { createProgressWriter, type ProgressWriter } from "../progress-writer.ts";
import { engineNode, engineTask, listOf } from "../shapes.ts";
import { readService } from "./api.ts";
import type { WaitFlags } from "./run-flags.ts";

/** Poll interval, milliseconds, as in Docker. */
const servicePollMs = 200;

/** How long all tasks must keep running before the service counts as converged, milliseconds. */
const verifyMs = 1_000;

/**
 * Waits until all tasks of a service run and keep running.
 *
 * @param flags quiet: no progress; timeout: maximum wait in milliseconds
 * @throws exit code 130 on Ctrl-C (the mesh continues), 1 if the update is paused or the timeout has passed
 */
export async function waitOnService(
  cli: Cli,
  mesh: MeshClient,
  ref: string,
  flags: Pick<WaitFlags, "quiet" | "timeout">,
): Promise<void> {
  const interrupt = cli.onInterrupt();
  const deadlineMs = cli.nowMs() + (flags.timeout ?? Number.POSITIVE_INFINITY);
  const writer = flags.quiet ? silentWriter : createProgressWriter(cli.err);
  let completeSinceMs: number | null = null;
  while (!interrupt.aborted) {
    const service = await readService(mesh, ref);
    const progress = await readProgress(mesh, service);
    failWhenPaused(service);
    completeSinceMs = isComplete(progress) ? (completeSinceMs ?? cli.nowMs()) : null;
    const isVerified = completeSinceMs !== null && cli.nowMs() - completeSinceMs >= verifyMs;
    writer.show([
      ...progressLines(progress, writer.columns),
      ...verifyLine(service, completeSinceMs, isVerified),
    ]);
    if (isVerified) return;
    if (cli.nowMs() >= deadlineMs) throw timeoutError(service, progress, flags.timeout ?? 0);
    await cli.sleep(servicePollMs, interrupt);
  }
  cli.err.write(`Operation continuing in background.\nUse \`waggle service ps ${ref}\` to check progress.\n`);
  throw new CliError(exitCodes.interrupted, "");
}

const silentWriter: ProgressWriter = { columns: null, show: () => {} };

/** Reads the progress of a service. */
export async function readProgress(mesh: MeshClient, service: EngineService): Promise<ServiceProgress> {
  const [tasks, nodes] = await Promise.all([
    mesh.get("/tasks", listOf(engineTask), filterQuery({ service: [service.ID], "_up-to-date": ["true"] })),
    mesh.get("/nodes", listOf(engineNode)),
  ]);
  return serviceProgress(service, tasks, nodes);
}

function failWhenPaused({ UpdateStatus: update }: EngineService): void {
  if (update?.State === "paused") throw refused(`service update paused: ${update.Message ?? ""}`);
  if (update?.State === "rollback_paused") throw refused(`service rollback paused: ${update.Message ?? ""}`);
}

/** The error of --timeout. The mesh keeps trying, as after Ctrl-C. */
function timeoutError(
  service: EngineService,
  { running, desired, slots }: ServiceProgress,
  timeoutMs: number,
): CliError {
  const reason = slots.find((slot) => slot.err !== "")?.err;
  const { Name } = service.Spec;
  return refused(
    `service ${Name}: ${running} of ${desired} tasks running after ${printDurationNs(timeoutMs * 1e6)}${reason === undefined ? "" : `: ${reason}`}`,
    `the mesh keeps trying; "waggle service ps ${Name}" shows its tasks, "waggle service rm ${Name}" removes it`,
  );
}

function verifyLine(service: EngineService, completeSinceMs: number | null, isVerified: boolean): string[] {
  if (completeSinceMs === null) return [];
  if (isVerified) return [`verify: Service ${service.Spec.Name} converged`];
  return ["verify: Waiting 1 second to verify that tasks are stable..."];
}
