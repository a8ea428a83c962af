// Debug headers: the route of a request and the reasons for it, for clients with a token of the mesh.

import { printPathRule } from "../domain/table/path-rule.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { RouteChoice } from "../proxy/routing/route-hints.ts";
import type { Routes } from "../proxy/routing/routes.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import type { ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** Adds the debug headers to a response. @param routes the table used last; null before the first */
export function setDebugHeaders(
  headers: Headers,
  incoming: ProxyRequest,
  state: ForwardState,
  routes: Routes | null,
): void {
  const { entry, trace, plane } = incoming;
  const { node, choice, target, attempts } = state;
  headers.set("x-waggle-entry", entry.role);
  if (node !== null && node !== "direct") headers.set("x-waggle-node", node.name);
  if (choice !== null) setRoute(headers, incoming, state, choice, routes);
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
      trace.print((traced) => nodeOf(traced, routes)),
    );
  }
  if (choice !== null) setEjections(headers, plane, choice.pool.ids);
  setTable(headers, plane, routes);
}

/** The service, its policy, and the path rule, canary or cookie that led to the target. */
function setRoute(
  headers: Headers,
  incoming: ProxyRequest,
  { target, queuedMs }: ForwardState,
  { route, hints }: RouteChoice,
  routes: Routes | null,
): void {
  headers.set("x-waggle-service", route.service.name);
  headers.set("x-waggle-policy", route.service.policy);
  const pathRoute = routes?.match(incoming)?.pathRoute ?? null;
  if (pathRoute !== null) {
    headers.set("x-waggle-path", printPathRule(pathRoute.rule));
    if (pathRoute.from !== null) headers.set("x-waggle-taken-from", pathRoute.from);
  }
  if (queuedMs > 0) headers.set("x-waggle-waited-ms", String(queuedMs));
  if (hints === null) return;
  if (hints.canaryOf !== null) headers.set("x-waggle-canary-of", hints.canaryOf);
  if (hints.stickyCookie !== null && target !== null) {
    headers.set("x-waggle-sticky", target.taskId === hints.stickyTarget?.taskId ? "kept" : "new");
  }
}

/** The ejected targets, as `TASK;for=1500` with the milliseconds left, and whether panic mode applies. */
function setEjections(headers: Headers, { outliers, nowMs }: DataPlane, taskIds: readonly string[]): void {
  if (!outliers.hasAny) return;
  const { ejected, panic } = outliers.ejections(taskIds, nowMs());
  if (ejected.length === 0) return;
  headers.set("x-waggle-ejected", ejected.map(({ taskId, forMs }) => `${taskId};for=${forMs}`).join(", "));
  if (panic) headers.set("x-waggle-panic", `${ejected.length} of ${taskIds.length} tasks fail: all are used`);
}

function setTable(headers: Headers, { tables }: DataPlane, routes: Routes | null): void {
  const { problem } = tables;
  // The registry's error text is shortened to what a header can hold.
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
