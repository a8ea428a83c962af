// The link that signs an operator in once, for who has the token where the browser has not.

import { Hono } from "hono";
import { authentication } from "../control/auth.ts";
import type { ControlEnv } from "../control/context.ts";
import { answerError } from "../control/errors.ts";
import type { SignInLink } from "../protocol/sign-in-link.ts";
import type { DashboardDeps } from "./context.ts";
import { linkMs, writeLinkCode } from "./session.ts";
import { tokensOf } from "./who.ts";

/** `POST /sign-in-link` with the operator's bearer token. */
export function linkRoute(deps: DashboardDeps): Hono<ControlEnv> {
  const routes = new Hono<ControlEnv>();
  routes.onError(answerError(deps));
  routes.post("/sign-in-link", authentication(deps), (c) => {
    const code = writeLinkCode(tokensOf(deps), deps.newId(), deps.now());
    const path = `/dashboard/sign-in?${new URLSearchParams({ code })}`;
    return c.json({ path, expiresAtMs: deps.now() + linkMs } satisfies SignInLink, 201);
  });
  return routes;
}
