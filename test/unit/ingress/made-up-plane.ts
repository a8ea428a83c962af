// A data plane in this process: the test decides what the registry and the tasks answer, and what time it is.

import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { edge } from "../../../src/edge/handle.ts";
import { ingress } from "../../../src/ingress/handle.ts";
import type { EntryPoint } from "../../../src/proxy/entry-point.ts";
import { createPlane, type DataPlane, type PlaneOptions } from "../../../src/proxy/plane.ts";

/** How a task answers; what it throws is a connection that failed. */
export type Task = (request: Request) => Response | Promise<Response>;

/** A request; `url` stands in for the one its Host and path make. */
export type Asked = {
  readonly door?: Partial<EntryPoint>;
  readonly path?: string;
  readonly url?: string;
} & Omit<RequestInit, "headers"> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly duplex?: "half";
  };

export type MadeUpPlane = {
  readonly plane: DataPlane;
  /** What the registry answers from here on, and the clock. */
  readonly now: { table: RoutingTable; ms: number };
  /** Versions the registry was asked for something newer than. */
  readonly askedAfter: number[];
  /** Requests as tasks got them. */
  readonly sent: Request[];
  /** Origins of those, in order. */
  readonly origins: () => string[];
  /** One request through the edge, or the entry point of node1. */
  ask(asked?: Asked): Promise<Response>;
};

export const refused: Task = () => Promise.reject(new TypeError("connection refused"));
export const frozen: Task = () => new Promise(() => undefined);

/** @param tasks by origin; one that is not listed answers with its own origin */
export function madeUpPlane(
  table: RoutingTable,
  tasks: Readonly<Record<string, Task>> = {},
  options: Partial<PlaneOptions> = {},
): MadeUpPlane {
  const now = { table, ms: 1_000_000 };
  const askedAfter: number[] = [];
  const sent: Request[] = [];
  const plane = createPlane({
    suspect: async () => undefined,
    source: async (after) => {
      askedAfter.push(after);
      const { version } = now.table;
      return { version, text: version > after ? printTable(now.table) : null, cookieKey: "key" };
    },
    dial: async (url, init) => {
      const request = new Request(url, init);
      sent.push(request);
      const { origin } = new URL(request.url);
      return (tasks[origin] ?? (() => new Response(origin)))(request);
    },
    headTimeoutMs: 1_000,
    platformStatuses: false,
    meshName: "test-mesh",
    domain: "mesh.example.com",
    trusts: (address) => address === "198.51.100.9",
    nowMs: () => now.ms,
    random: () => 0,
    newId: () => "made-up-id",
    ...options,
  });
  return {
    plane,
    now,
    askedAfter,
    sent,
    origins: () => sent.map((request) => new URL(request.url).origin),
    ask({ door = {}, path = "/", url, headers = {}, ...init } = {}) {
      const entry = entryOf(door);
      const host = headers.host ?? "www.example.com";
      const request = new Request(url ?? `http://${host}${path}`, { ...init, headers: { host, ...headers } });
      const context = { plane, waitUntil: () => undefined };
      return entry.role === "edge" ? edge(request, entry, context) : ingress(request, entry, context);
    },
  };
}

function entryOf(door: Partial<EntryPoint>): EntryPoint {
  return {
    role: "ingress",
    node: door.role === "edge" ? null : "node1",
    port: 8080,
    client: "203.0.113.7",
    scheme: "http",
    mayDebug: () => false,
    ...door,
  };
}
