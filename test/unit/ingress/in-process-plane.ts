// A data plane in the test's process, with a fake registry, fake tasks and a fake clock.

import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { edge } from "../../../src/edge/handle.ts";
import { ingress } from "../../../src/ingress/handle.ts";
import type { EntryPoint } from "../../../src/proxy/entry-point.ts";
import { createPlane, type DataPlane, type PlaneOptions } from "../../../src/proxy/plane.ts";
import type { TableSource } from "../../../src/proxy/routing/table-cache.ts";
import { newBodyPipe } from "../../support/body-pipe.ts";
import { registryReply } from "../../support/test-table.ts";

/** A fake task. A rejection is a failed connection. */
export type Task = (request: Request) => Response | Promise<Response>;

/** A client's request. `url` replaces the URL made of Host and path. */
export type TestRequest = {
  readonly entry?: Partial<EntryPoint>;
  readonly path?: string;
  readonly url?: string;
} & Omit<RequestInit, "headers"> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly duplex?: "half";
  };

export type InProcessPlane = {
  readonly plane: DataPlane;
  /** The table that the registry has, and the clock. */
  readonly state: { table: RoutingTable; nowMs: number };
  /** The `afterVersion` of each request to the registry. */
  readonly afterVersions: number[];
  /** Requests as the tasks received them. */
  readonly received: Request[];
  /** Their origins, in order. */
  readonly origins: () => string[];
  /** Sends a request to node1's entry point, unless it names another one. */
  send(request?: TestRequest): Promise<Response>;
};

export const testGatewayKeys = [{ id: "k1", secret: "a secret of the mesh" }];

export const refused: Task = () => Promise.reject(new TypeError("connection refused"));
export const frozen: Task = () => new Promise(() => undefined);

/**
 * How long a plane's clock may stand still, milliseconds; longer than any test, in simulated time as well. By a clock
 * that never goes on, its router would wait for the next call to the registry without end, also in the simulated time
 * of a later file.
 */
const longestTestMs = 300_000;

/** @param tasks by origin; a task that is not listed responds with its origin */
export function inProcessPlane(
  table: RoutingTable,
  tasks: Readonly<Record<string, Task>> = {},
  options: Partial<PlaneOptions> = {},
): InProcessPlane {
  const state = { table, nowMs: 1_000_000 };
  const endsMs = performance.now() + longestTestMs;
  const afterVersions: number[] = [];
  const received: Request[] = [];
  const source: TableSource = async (after) => {
    afterVersions.push(after);
    const { version } = state.table;
    const text = version > after ? printTable(state.table) : null;
    return { version, text, cookieKey: "key", gatewayKeys: testGatewayKeys };
  };
  const plane = createPlane({
    reportSuspects: async () => undefined,
    callRegistry: async ({ afterVersion }) => registryReply(await source(afterVersion)),
    dial: async (url, init) => {
      const request = new Request(url, { ...init, duplex: "half" } as RequestInit);
      received.push(request);
      const { origin } = new URL(request.url);
      const headers = { "content-length": String(origin.length) };
      return (tasks[origin] ?? (() => new Response(origin, { headers })))(request);
    },
    dialGateway: () => Promise.reject(new TypeError("connection refused")),
    newBodyPipe,
    headTimeoutMs: 1_000,
    platformStatuses: false,
    meshName: "test-mesh",
    domain: "mesh.example.com",
    trusts: (address) => address === "198.51.100.9",
    nowMs: () => (performance.now() < endsMs ? state.nowMs : Number.POSITIVE_INFINITY),
    random: () => 0,
    newId: () => "generated-id",
    ...options,
  });
  return {
    plane,
    state,
    afterVersions,
    received,
    origins: () => received.map((request) => new URL(request.url).origin),
    send({ entry: changes = {}, path = "/", url, headers = {}, ...init } = {}) {
      const entry = entryPoint(changes);
      const host = headers.host ?? "www.example.com";
      const request = new Request(url ?? `http://${host}${path}`, { ...init, headers: { host, ...headers } });
      const context = { plane, waitUntil: () => undefined };
      return entry.role === "edge" ? edge(request, entry, context) : ingress(request, entry, context);
    },
  };
}

function entryPoint(changes: Partial<EntryPoint>): EntryPoint {
  return {
    role: "ingress",
    node: changes.role === "edge" ? null : "node1",
    port: 8080,
    client: "203.0.113.7",
    scheme: "http",
    mayDebug: () => false,
    ...changes,
  };
}

/** An entry point for requests that are not made by `send`. */
export const rawEntry: EntryPoint = entryPoint({ role: "edge" });

/** A request whose URL has a target as sent, as in workerd: Node normalizes it. */
export function rawRequest(target: string, init: RequestInit = {}): Request {
  const host = "www.example.com";
  const request = new Request(`http://${host}/`, { ...init, headers: { host, ...init.headers } });
  return new Proxy(request, {
    get: (of, name) => (name === "url" ? `http://${host}${target}` : Reflect.get(of, name, of)),
  });
}
