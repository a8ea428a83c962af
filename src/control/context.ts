// The dependencies of the control API's routes, and the variables of one request.

import type { Hono } from "hono";
import type { ClosedPort } from "../domain/model/node-listeners.ts";
import type { EntrySettings } from "../explain/entry.ts";
import type { DialGateway } from "../proxy/plane.ts";
import type { MeshApi } from "../registry/api.ts";
import type { CounterSink, TelemetryApi } from "../telemetry/telemetry.ts";
import type { Connector } from "./connect.ts";
import type { WatchEvents } from "./engine-events.ts";
import type { GuessLimit } from "./guess-limit.ts";

export type ControlDeps = {
  readonly mesh: MeshApi;
  /** Throws telemetry/unavailable if the telemetry object cannot be reached. */
  readonly telemetry: TelemetryApi;
  /** The telemetry object. */
  readonly counters: CounterSink;
  /** Grants everything. Empty if not set: then every request is refused. */
  readonly operatorToken: string;
  /** Grants reading. Empty or absent if not set. */
  readonly viewerToken?: string;
  /** Limits wrong tokens; absent for a limit of this app alone. */
  readonly guesses?: GuessLimit;
  /** The mesh's entry points, for explaining a request's route. */
  readonly entrySettings: EntrySettings;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Returns a random id. */
  readonly newId: () => string;
  /** Forwards a WebSocket upgrade, or a router's poll, to the registry object. */
  readonly forward: (request: Request) => Promise<Response>;
  /** Forwards the upgrade of a node's agent to the node's tunnel object; null if the Worker binds none. */
  readonly openTunnel?: (nodeId: string, request: Request) => Promise<Response> | null;
  /** Opens connections to TCP services; absent: this app cannot. */
  readonly connector?: (request: Request) => Connector;
  /** The events of the mesh as they happen; absent: GET /events sends stored ones only. */
  readonly watchEvents?: WatchEvents;
  /** Published ports that the listeners of this machine could not open; absent where the mesh has none. */
  readonly closedPorts?: () => Promise<readonly ClosedPort[]>;
  /** Sends a signed request to the gateway of a node. */
  readonly dialGateway: DialGateway;
  /** Logs an internal error; absent for the console. */
  readonly log?: (record: Readonly<Record<string, unknown>>) => void;
};

/** What a token grants: an operator may change the mesh, a viewer may read it. */
export type Role = "operator" | "viewer";

/** What a Worker knows about a request's connection. */
export type ControlConnection = {
  /** The client's address; null if unknown. */
  readonly client: string | null;
};

export type ControlEnv = {
  Bindings: ControlConnection;
  Variables: { requestId: string; role: Role };
};
export type ControlRoutes = Hono<ControlEnv>;
