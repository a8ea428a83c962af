// What the dashboard is given, and what one request to it carries.

import type { Hono } from "hono";
import type { ControlDeps, Role } from "../control/context.ts";
import type { AccessSettings } from "./access.ts";
import type { StaticAssets } from "./assets.ts";

export type DashboardDeps = ControlDeps & {
  /** What the pages call the mesh. */
  readonly meshName: string;
  readonly assets: StaticAssets;
  /** Cloudflare Access in front of this Worker; null: people sign in with a token. */
  readonly access: AccessSettings | null;
};

/** Where a request came in. */
export type RequestOrigin = {
  /**
   * Services answer on the dashboard's own origin: a page of theirs could act in the name of whoever is signed in
   * here, so nobody may act.
   */
  readonly sharesOrigin: boolean;
};

/** Who looks at the dashboard. */
export type Identity = {
  readonly role: Role;
  /** Who the events say it was: `operator`, `viewer`, or an e-mail address. */
  readonly actor: string;
  /** Names this sign-in; forms are bound to it. */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly expiresAtMs: number;
  readonly by: "token" | "access";
};

export type DashboardEnv = {
  Bindings: RequestOrigin;
  Variables: { identity?: Identity; requestId: string; role: Role };
};
export type DashboardRoutes = Hono<DashboardEnv>;
