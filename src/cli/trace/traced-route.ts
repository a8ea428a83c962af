// The route of one request, parsed from the debug headers of its response.

import type { IncomingHttpHeaders } from "node:http";

/** One attempt at a task or static server. */
export type TraceAttempt = {
  readonly taskId: string;
  /** `my-web.1`, or `my-web/web1` for a static server. */
  readonly task: string;
  /** Null for a static server. */
  readonly node: string | null;
  /** How its node's gateway was reached. Absent for a static server, and in earlier releases. */
  readonly transport?: string;
  /** Milliseconds from the arrival of the request to the attempt, and the length of the attempt. */
  readonly atMs: number;
  readonly tookMs: number;
  /** The status of the response; `failed`: not reached or connection broken; `none`: no response yet. */
  readonly outcome: string;
};

/** How the mesh routed one request. */
export type TracedRoute = {
  /** `edge` if the edge picked the node, else `ingress`. */
  readonly entry: "edge" | "ingress";
  readonly node: string | null;
  readonly service: string | null;
  readonly policy: string | null;
  /** `kept`: the client's cookie named the task; `new`: the response sets a cookie. */
  readonly sticky: string | null;
  /** Milliseconds in the request queue, until a task had fewer open requests than its maxconn. */
  readonly queuedMs: number | null;
  /** The requested service, if its canary responded. */
  readonly canaryOf: string | null;
  /** The path rule that selected the service, and the service that owns the rest of the host or port. */
  readonly path: string | null;
  readonly pathOwner: string | null;
  readonly attempts: readonly TraceAttempt[];
  /** Tasks ejected at that entry point, as in the header: `TASK;for=1500, …`, milliseconds. */
  readonly ejected: string | null;
  /** Why no task is ejected although many fail (panic mode). */
  readonly panic: string | null;
  readonly tableVersion: number | null;
  readonly tableAgeMs: number | null;
  /** Why the table could not be refreshed. */
  readonly tableProblem: string | null;
  readonly requestId: string | null;
};

/** The route in the headers of a response; null if it has no debug headers. */
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

/** `TASK;slot=1;node=node1;transport=direct;at=0;ms=3;outcome=200, …` as src/ingress/trace.ts prints it. */
function readAttempts(text: string, service: string): TraceAttempt[] {
  return text.split(", ").flatMap((item) => {
    const [taskId = "", ...pairs] = item.split(";");
    if (taskId === "") return [];
    const fields = new Map(pairs.map((pair) => pair.split("=") as [string, string]));
    const slot = fields.get("slot") ?? "0";
    const server = fields.get("server");
    const transport = fields.get("transport");
    const node = server === undefined ? (fields.get("node") ?? "") : null;
    return {
      taskId,
      task: server === undefined ? `${service}.${slot === "0" ? node : slot}` : `${service}/${server}`,
      node,
      ...(transport !== undefined && { transport }),
      atMs: Number(fields.get("at")),
      tookMs: Number(fields.get("ms")),
      outcome: fields.get("outcome") ?? "",
    };
  });
}
