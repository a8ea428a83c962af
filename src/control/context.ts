// What every route of the control API is given, and what one request carries.

import type { Hono } from "hono";
import type { EntrySettings } from "../explain/entry.ts";
import type { MeshApi } from "../registry/api.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";

/** What the control API is given instead of taking it from its surroundings. */
export type ControlDeps = {
  readonly mesh: MeshApi;
  /** May be out of reach: then it throws telemetry/unavailable. */
  readonly telemetry: TelemetryApi;
  /** May do everything. Empty: not set, and nobody is let in. */
  readonly operatorToken: string;
  /** May look. Empty or absent: nobody has it. */
  readonly viewerToken?: string;
  /** Where requests come in, for who asks what would happen to one. */
  readonly surroundings: EntrySettings;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** A request id. */
  readonly newId: () => string;
  /** Hands a WebSocket upgrade to the registry object, which answers it. */
  readonly upgrade: (request: Request) => Promise<Response>;
  /** Takes one record about a fault of the mesh's own; absent: the console. */
  readonly log?: (record: Readonly<Record<string, unknown>>) => void;
};

/** Who asks: `operator` acts, `viewer` looks, nobody is let in only where a route is open. */
export type Role = "operator" | "viewer";

export type ControlEnv = { Variables: { requestId: string; role: Role } };
export type ControlRoutes = Hono<ControlEnv>;
