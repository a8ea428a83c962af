// The way a request went through the mesh, as the headers of its answer tell those who show a token.

import type { IncomingHttpHeaders } from "node:http";

/** One task, or static server, that was asked. */
export type TraceAttempt = {
  readonly taskId: string;
  /** `my-web.1`; of a static server `my-web/web1`. */
  readonly task: string;
  /** Null: a static server has none. */
  readonly node: string | null;
  /** Milliseconds after the request came in that it was asked, and how long it took. */
  readonly atMs: number;
  readonly tookMs: number;
  /** The status it answered with; `failed`: not reached, or broken off; `none`: nothing came by then. */
  readonly outcome: string;
};

/** What the mesh did with one request. */
export type TracedRoute = {
  /** `edge`: the balancer picked the node. */
  readonly entry: "edge" | "ingress";
  readonly node: string | null;
  readonly service: string | null;
  readonly policy: string | null;
  /** `kept`: the client's cookie named the task; `new`: it was given one. */
  readonly sticky: string | null;
  /** How long it was in line for a task with fewer open requests than its maxconn, milliseconds. */
  readonly queuedMs: number | null;
  /** The service that was asked for, where its canary answered. */
  readonly canaryOf: string | null;
  /** The path rule that led to the service, and the service whose requests those are. */
  readonly path: string | null;
  readonly pathOwner: string | null;
  readonly attempts: readonly TraceAttempt[];
  /** Tasks that requests pass over there now, because they failed a moment ago; as the header tells them. */
  readonly ejected: string | null;
  /** Why all tasks are used although they fail. */
  readonly panic: string | null;
  readonly tableVersion: number | null;
  readonly tableAgeMs: number | null;
  /** Why the table could not be renewed. */
  readonly tableProblem: string | null;
  readonly requestId: string | null;
};

/** The way an answer's headers tell; null when they tell none. */
export function readTracedRoute(headers: IncomingHttpHeaders): TracedRoute | null {
  const text = (name: string): string | null => {
    const value = headers[name];
    return typeof value === "string" ? value : null;
  };
  const number = (name: string): number | null => (text(name) === null ? null : Number(text(name)));
  if (text("x-waggle-attempts") === null) return null;
  const service = text("x-waggle-service");
  return {
    entry: text("x-waggle-entry") === "edge" ? "edge" : "ingress",
    node: text("x-waggle-node"),
    service,
    policy: text("x-waggle-policy"),
    sticky: text("x-waggle-sticky"),
    queuedMs: number("x-waggle-waited-ms"),
    canaryOf: text("x-waggle-canary-of"),
    path: text("x-waggle-path"),
    pathOwner: text("x-waggle-taken-from"),
    attempts: readAttempts(text("x-waggle-trace") ?? "", service ?? ""),
    ejected: text("x-waggle-ejected"),
    panic: text("x-waggle-panic"),
    tableVersion: number("x-waggle-table-version"),
    tableAgeMs: number("x-waggle-table-age-ms"),
    tableProblem: text("x-waggle-table-problem"),
    requestId: text("x-request-id"),
  };
}

/** `TASK;slot=1;node=node1;at=0;ms=3;outcome=200, …` as src/ingress/trace.ts prints it. */
function readAttempts(text: string, service: string): TraceAttempt[] {
  return text.split(", ").flatMap((item) => {
    const [taskId = "", ...pairs] = item.split(";");
    if (taskId === "") return [];
    const of = new Map(pairs.map((pair) => pair.split("=") as [string, string]));
    const slot = of.get("slot") ?? "0";
    const server = of.get("server");
    const node = server === undefined ? (of.get("node") ?? "") : null;
    return {
      taskId,
      task: server === undefined ? `${service}.${slot === "0" ? node : slot}` : `${service}/${server}`,
      node,
      atMs: Number(of.get("at")),
      tookMs: Number(of.get("ms")),
      outcome: of.get("outcome") ?? "",
    };
  });
}
