// The debug headers: which way a request went and what it was decided by, for those who show a token of the mesh.

import { printPathRule } from "../domain/table/path-rule.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { RouteHints } from "../proxy/routing/route-hints.ts";
import type { Route, Routes } from "../proxy/routing/routes.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import type { Forwarding } from "./attempt.ts";
import type { Trace } from "./trace.ts";

/** What is told of a request. */
export type DebugFacts = {
  readonly entry: EntryPoint;
  readonly plane: DataPlane;
  readonly route: Route | null;
  readonly asking: Pick<Forwarding, "target" | "attempts" | "waitedMs"> | null;
  readonly trace: Trace | null;
  readonly wish: RouteHints | null;
  readonly host: string;
  readonly request: Pick<Request, "url">;
};

/** Puts on an answer which way it came. */
export function setDebug(headers: Headers, told: DebugFacts, routes: Routes | null): void {
  const { entry, route, asking, trace } = told;
  const { attempts, target } = asking ?? { attempts: 0, target: null };
  const node = routes?.node(entry.node ?? "");
  headers.set("x-waggle-entry", entry.role);
  if (node !== undefined) headers.set("x-waggle-node", node.name);
  if (route !== null) {
    headers.set("x-waggle-service", route.service.name);
    headers.set("x-waggle-policy", route.service.policy);
    setTaker(headers, told, routes);
    setWish(headers, told);
  }
  if (target !== null) {
    headers.set("x-waggle-task", target.taskId);
    if (target.server === null) {
      headers.set("x-waggle-slot", String(target.slot));
      headers.set("x-waggle-task-node", nodeOf(target, routes));
    } else headers.set("x-waggle-server", target.server);
  }
  headers.set("x-waggle-attempts", String(attempts));
  if (trace !== null && attempts > 0) {
    headers.set(
      "x-waggle-trace",
      trace.print((asked) => nodeOf(asked, routes)),
    );
  }
  if (route !== null) setEjections(headers, told, route.pool(node?.id ?? "").ids);
  setTable(headers, told.plane, routes);
}

/** The path rule that led to the service, and whose request it was. */
function setTaker(
  headers: Headers,
  { entry, plane, host, request }: DebugFacts,
  routes: Routes | null,
): void {
  const taker = routes?.pathRouteOf(entry.port, host, plane.domain, request) ?? null;
  if (taker === null) return;
  headers.set("x-waggle-path", printPathRule(taker.rule));
  if (taker.from !== null) headers.set("x-waggle-taken-from", taker.from);
}

/** What besides the policy led to the task. */
function setWish(headers: Headers, { wish, asking }: DebugFacts): void {
  const target = asking?.target ?? null;
  if (asking !== null && asking.waitedMs > 0) headers.set("x-waggle-waited-ms", String(asking.waitedMs));
  if (wish === null) return;
  if (wish.canaryOf !== null) headers.set("x-waggle-canary-of", wish.canaryOf);
  if (wish.sticky !== null && target !== null) {
    headers.set("x-waggle-sticky", target.taskId === wish.kept?.taskId ? "kept" : "new");
  }
}

/** The tasks this isolate passes over, as `TASK;for=1500` with milliseconds to come, and whether all are used anyway. */
function setEjections(headers: Headers, { plane }: DebugFacts, taskIds: readonly string[]): void {
  if (!plane.outliers.any) return;
  const { ejected, panic } = plane.outliers.ejections(taskIds, plane.nowMs());
  if (ejected.length === 0) return;
  headers.set("x-waggle-ejected", ejected.map(({ taskId, forMs }) => `${taskId};for=${forMs}`).join(", "));
  if (panic) headers.set("x-waggle-panic", `${ejected.length} of ${taskIds.length} tasks fail: all are used`);
}

function setTable(headers: Headers, { tables }: DataPlane, routes: Routes | null): void {
  const { problem } = tables;
  // What the registry says is printed as it is only where a header can hold it.
  if (problem !== null) {
    headers.set("x-waggle-table-problem", problem.replaceAll(/[^ -~]+/g, "?").slice(0, 200));
  }
  if (routes === null) return;
  headers.set("x-waggle-table-version", String(routes.version));
  headers.set("x-waggle-table-age-ms", String(Math.round(tables.ageMs())));
}

/** The name of a task's node. */
function nodeOf({ nodeId }: Target, routes: Routes | null): string {
  return routes?.node(nodeId)?.name ?? nodeId;
}
