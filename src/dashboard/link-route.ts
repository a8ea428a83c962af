// The link that signs an operator in once, for who has the token where the browser has not.

import { Hono } from "hono";
import { authentication } from "../control/auth.ts";
import type { ControlEnv } from "../control/context.ts";
import { errorHandler } from "../control/errors.ts";
import type { SignInLink } from "../protocol/sign-in-link.ts";
import type { DashboardDeps } from "./context.ts";
import { roleTokens } from "./identity.ts";
import { linkLifetimeMs, writeLinkCode } from "./session.ts";

/** `POST /sign-in-link` with the operator's bearer token. */
export function signInLinkRoute(deps: DashboardDeps): Hono<ControlEnv> {
  const routes = new Hono<ControlEnv>();
  routes.onError(errorHandler(deps));
  routes.post("/sign-in-link", authentication(deps), (c) => {
    const code = writeLinkCode(roleTokens(deps), deps.newId(), deps.now());
    const path = `/dashboard/sign-in?${new URLSearchParams({ code })}`;
    return c.json({ path, expiresAtMs: deps.now() + linkLifetimeMs } satisfies SignInLink, 201);
  });
  return routes;
}
