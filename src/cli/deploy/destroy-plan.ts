// Decides what destroy deletes: from the settings and from what exists to steps, or to reasons against it.

import type { FoundParts, WorkerRoute } from "./account.ts";
import { type MeshWorker, meshWorkers } from "./mesh-workers.ts";
import { type DeployRefusal, strangerRefusals, unseenZoneRefusals } from "./plan.ts";
import type { DeploySettings, MadeHere } from "./settings.ts";
import { isRouteRecord, recordMark, recordsAt, wantedNames, wantedRoutes } from "./zone-parts.ts";

/** A part that destroy deletes. */
export type DestroyStep =
  | { readonly kind: "delete-record"; readonly id: string; readonly name: string }
  | { readonly kind: "delete-route"; readonly id: string; readonly pattern: string }
  | { readonly kind: "delete-worker"; readonly worker: MeshWorker };

export type DestroyPlan = {
  readonly refusals: readonly DeployRefusal[];
  readonly steps: readonly DestroyStep[];
  /** What others made, and stays. */
  readonly left: readonly string[];
};

/** Decides what to delete: only what deploy has made. */
export function planDestruction(settings: DeploySettings, made: MadeHere, found: FoundParts): DestroyPlan {
  const { records, routes } = found;
  const workers = meshWorkers(settings).filter(({ name }) => found.workers.has(name));
  const strangers = workers.flatMap(({ name }) => strangerRefusals(settings, name, found.workers.get(name)));
  const refusals = [...strangers, ...unseenZoneRefusals(settings, found)];
  if (refusals.length > 0) return { refusals, steps: [], left: [] };
  const names = new Set(meshWorkers(settings).map(({ name }) => name));
  const ownRecords = records.filter(
    (record) => record.comment === recordMark(settings) && isRouteRecord(record),
  );
  const ownRoutes = routes.filter((route) => isMadeRoute(route, made, settings));
  const isMade = ({ name }: MeshWorker) => made.workers.includes(name);
  return {
    refusals: [],
    // The reverse of a deployment. Routes of the mesh go before those that leave names out, and the registry last.
    steps: [
      ...ownRecords.map((record) => ({ kind: "delete-record", id: record.id, name: record.name }) as const),
      ...ownRoutes
        .toSorted((a, b) => Number(!a.script) - Number(!b.script))
        .map(({ id, pattern }) => ({ kind: "delete-route", id, pattern }) as const),
      ...workers
        .filter(isMade)
        .map((worker) => ({ kind: "delete-worker", worker }) as const)
        .toReversed(),
    ],
    left: [
      ...wantedNames(settings).flatMap((wanted) =>
        recordsAt(found, wanted)
          .filter((record) => !ownRecords.includes(record))
          .map(
            ({ type, content = "" }) =>
              `DNS record ${wanted} (${type} ${content}): deploy did not make it like this`,
          ),
      ),
      ...routes
        .filter((route) => names.has(route.script ?? "") && !ownRoutes.includes(route))
        .map(({ pattern, script }) => `route ${pattern} to ${script}: deploy did not make it`),
      ...workers
        .filter((worker) => !isMade(worker))
        .map(
          ({ name }) =>
            `Worker ${name}: it existed before the first deploy; "npx wrangler delete ${name}" deletes it`,
        ),
    ],
  };
}

/** A route that has been changed since is another owner's. */
function isMadeRoute(
  { pattern, script }: WorkerRoute,
  { routes }: MadeHere,
  settings: DeploySettings,
): boolean {
  if (!routes.includes(pattern)) return false;
  const wanted = wantedRoutes(settings).find((route) => route.pattern === pattern);
  return wanted === undefined ? !script : script === wanted.worker;
}
