// Reads what problems are computed from besides the registry's view: traffic, and the listeners of this machine.

import { isAlive } from "../domain/model/task.ts";
import type { Snapshot, SnapshotFilter } from "../telemetry/snapshot.ts";
import type { JudgedTraffic } from "../telemetry/traffic-problems.ts";
import type { ControlDeps } from "./context.ts";
import type { MeshView } from "./mesh-view.ts";
import type { ProblemContext } from "./problems.ts";
import { snapshotOrNull } from "./remote-telemetry.ts";

/** In a larger mesh services are judged as a whole: the traffic of each target would be megabytes. */
const maxJudgedTargets = 600;

/** True if each task and static server is judged by its own traffic. */
function judgesTargets({ tasks, servers }: Pick<MeshView, "tasks" | "servers">): boolean {
  return tasks.filter((task) => isAlive(task)).length + servers.length <= maxJudgedTargets;
}

/** Traffic as it is judged: the same for the dashboard, the status and the metrics. */
export function judgedTraffic(
  view: MeshView,
  { services }: Pick<Snapshot, "services">,
): readonly JudgedTraffic[] {
  return judgesTargets(view) ? services : services.map((service) => ({ ...service, tasks: [] }));
}

/** Null if telemetry is unavailable. */
export function readJudgedTraffic(
  { telemetry }: Pick<ControlDeps, "telemetry">,
  view: Pick<MeshView, "tasks" | "servers">,
  filter: SnapshotFilter = {},
): Promise<Snapshot | null> {
  return snapshotOrNull(telemetry, { ...filter, tasks: judgesTargets(view), entries: false });
}

export async function readProblemContext({
  entrySettings,
  closedPorts,
  now,
}: Pick<ControlDeps, "entrySettings" | "closedPorts" | "now">): Promise<ProblemContext> {
  return {
    nowMs: now(),
    isOnCloudflare: entrySettings.balancerPort === null,
    closedPorts: closedPorts === undefined ? [] : await closedPorts().catch(() => []),
  };
}
