// The dashboard's dependencies, and the data attached to one request.

import type { Hono } from "hono";
import type { ControlDeps, Role } from "../control/context.ts";
import type { AccessSettings } from "./access.ts";
import type { StaticAssets } from "./assets.ts";
import type { DashboardKeys } from "./keys.ts";

export type DashboardDeps = ControlDeps & {
  /** The mesh's name on the pages. */
  readonly meshName: string;
  readonly assets: StaticAssets;
  /** Null: users sign in with a token instead of Cloudflare Access. */
  readonly access: AccessSettings | null;
};

export type RequestOrigin = {
  /**
   * True if services share the dashboard's origin. A page of such a service could act with the user's
   * session, so the dashboard is read-only there.
   */
  readonly sharesOrigin: boolean;
  /** The client's address; null if unknown. */
  readonly client: string | null;
};

/** A signed-in user. */
export type Identity = {
  readonly role: Role;
  /** The actor in events: `operator`, `viewer`, or an e-mail address. */
  readonly actor: string;
  /** Identifies this sign-in; form tokens are bound to it. */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly expiresAtMs: number;
  readonly by: "token" | "access";
};

export type DashboardEnv = {
  Bindings: RequestOrigin;
  Variables: { identity?: Identity; keys: DashboardKeys; requestId: string; role: Role };
};
export type DashboardRoutes = Hono<DashboardEnv>;
