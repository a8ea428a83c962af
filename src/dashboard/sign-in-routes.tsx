// The door: signing in and out, and who is let through to the pages.

import { type Context, Hono, type MiddlewareHandler } from "hono";
import { authentication, roleReader } from "../control/auth.ts";
import type { ControlEnv } from "../control/context.ts";
import { errorHandler } from "../control/errors.ts";
import type { SignInLink } from "../protocol/sign-in-link.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { endSession, hasSession, readIdentity, roleTokens, startSession } from "./identity.ts";
import { SignInByLink, SignInForm } from "./pages/sign-in.tsx";
import { pagePaths } from "./paths.ts";
import { type Render, renderMessagePage } from "./render.tsx";
import { isSameOrigin } from "./same-origin.ts";
import { isValidFormToken, linkLifetimeMs, readLinkCode, writeLinkCode, writeSession } from "./session.ts";

/** Fields of a form, each once; files are none. */
export type FormFields = Readonly<Record<string, string>>;

/** `POST /sign-in-link` with the operator's bearer token. */
export function signInLinkRoute(deps: DashboardDeps): Hono<ControlEnv> {
  const routes = new Hono<ControlEnv>();
  routes.onError(errorHandler(deps));
  routes.post("/sign-in-link", authentication(deps), (c) => {
    const code = writeLinkCode(roleTokens(deps), deps.newId(), deps.now());
    const path = `${pagePaths.signIn}?${new URLSearchParams({ code })}`;
    return c.json({ path, expiresAtMs: deps.now() + linkLifetimeMs } satisfies SignInLink, 201);
  });
  return routes;
}

/** Open to everybody: the sign-in page, and what its forms send. */
export function signInRoutes(deps: DashboardDeps, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  const roleOf = roleReader(deps);
  const tokens = roleTokens(deps);
  const form = (c: Context<DashboardEnv>, status: 200 | 401 | 403, to: string, notice: string | null) =>
    render(c, status, { title: "Sign in" }, <SignInForm to={to} notice={notice} />);
  routes.get("/sign-in", (c) => {
    const code = c.req.query("code");
    if (code === undefined) {
      const notice = c.req.query("ended") === "" ? "Your session has ended: sign in again to go on." : null;
      return form(c, 200, safeReturnPath(c.req.query("to")), notice);
    }
    if (readLinkCode(code, tokens, deps.now()) === null)
      return form(c, 401, safeReturnPath(undefined), expiredLinkNotice);
    return render(c, 200, { title: "Sign in" }, <SignInByLink code={code} />);
  });
  routes.post("/sign-in", async (c) => {
    const { token = "", code, to } = await readForm(c);
    const target = safeReturnPath(to);
    if (!isSameOrigin(c)) return form(c, 403, target, "This form came from another site: sign in here.");
    if (deps.operatorToken === "") {
      return renderMessagePage(
        render,
        c,
        503,
        "Not set up yet",
        "This mesh has no operator token: set the secret OPERATOR_TOKEN.",
      );
    }
    if (code !== undefined) {
      const link = readLinkCode(code, tokens, deps.now());
      const first = link !== null && (await deps.mesh.redeem(link.id, link.expiresAtMs));
      if (!first) return form(c, 401, target, expiredLinkNotice);
      startSession(c, writeSession("operator", tokens, deps.newId(), deps.now()));
      return c.redirect(target, 303);
    }
    const role = roleOf(token.trim());
    if (role === null) {
      return form(
        c,
        401,
        target,
        "This token is not the mesh's. `npm start` prints it; on Cloudflare it is the secret OPERATOR_TOKEN.",
      );
    }
    startSession(c, writeSession(role, tokens, deps.newId(), deps.now()));
    return c.redirect(target, 303);
  });
  return routes;
}

const expiredLinkNotice =
  "This link has been used, or its time is over: print another with bin/waggle dashboard, or sign in with the token.";

/** Lets in who is signed in; sends everybody else to sign in, and back to where they were going. */
export function requireSignIn(deps: DashboardDeps): MiddlewareHandler<DashboardEnv> {
  return async (c, next) => {
    const identity = await readIdentity(c, deps);
    if (identity !== null) {
      c.set("identity", identity);
      return next();
    }
    // A socket and a script cannot follow to a form.
    if (c.req.header("upgrade") !== undefined) return c.text("sign in first", 401);
    const ended = hasSession(c) ? { ended: "" } : {};
    return c.redirect(
      `${pagePaths.signIn}?${new URLSearchParams({ to: await returnPath(c), ...ended })}`,
      303,
    );
  };
}

/** Signs out. Only by a form of our own: a link on another page shall not do it. */
export function signOutRoute(deps: DashboardDeps, render: Render): DashboardRoutes {
  return new Hono<DashboardEnv>().post("/sign-out", async (c) => {
    const refused = await refuseForeignForm(c, deps, render);
    if (refused !== null) return refused;
    endSession(c);
    return c.redirect(pagePaths.signIn, 303);
  });
}

/** Null for a form of this sign-in's own pages; else the answer to it. */
export async function refuseForeignForm(
  c: Context<DashboardEnv>,
  deps: DashboardDeps,
  render: Render,
): Promise<Response | null> {
  const { form = "" } = await readForm(c);
  const identity = c.get("identity");
  if (isSameOrigin(c) && identity !== undefined && isValidFormToken(form, roleTokens(deps), identity))
    return null;
  return renderMessagePage(
    render,
    c,
    403,
    "Not done",
    "This form is not of this sign-in: it came from another site, or from before you signed in. Open the page again and repeat it.",
    pagePaths.overview,
  );
}

export async function readForm(c: Context<DashboardEnv>): Promise<FormFields> {
  const body = await c.req.parseBody();
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** Where a request was going. A form that came too late goes back to its confirmation, with what it asked for. */
async function returnPath(c: Context<DashboardEnv>): Promise<string> {
  const { pathname, search } = new URL(c.req.url);
  if (c.req.method === "GET" || c.req.method === "HEAD") return pathname + search;
  const { form: _form, version: _version, ...asked } = await readForm(c);
  return `${pathname}?${new URLSearchParams(asked)}`;
}

/** A path of the dashboard and nothing else: what stands in a link must not lead off the site. */
function safeReturnPath(to: string | undefined): string {
  const home = pagePaths.overview;
  if (to === undefined || !to.startsWith(home)) return home;
  const url = URL.parse(to, "https://mesh.invalid");
  const isOwn = url?.origin === "https://mesh.invalid" && url.pathname.startsWith(home);
  // Signing out is nothing to come back to.
  return isOwn && url.pathname !== `${home}sign-out` ? url.pathname + url.search : home;
}
