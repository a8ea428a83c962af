// Sign-in and sign-out: by token, by one-time link, and the check in front of every other page.

import { type Context, Hono, type MiddlewareHandler } from "hono";
import { authentication, type CheckedToken, tokenChecker, tooManyTokens } from "../control/auth.ts";
import type { ControlEnv } from "../control/context.ts";
import { errorHandler } from "../control/errors.ts";
import { tokenProblem } from "../domain/model/mesh-token.ts";
import type { SignInLink } from "../protocol/sign-in-link.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { endSession, hasSession, readIdentity, startSession } from "./identity.ts";
import type { DashboardKeys } from "./keys.ts";
import { SignInByLink, SignInForm } from "./pages/sign-in.tsx";
import { pagePaths } from "./paths.ts";
import { type Render, renderMessagePage } from "./render.tsx";
import { isSameOrigin } from "./same-origin.ts";
import { isValidFormToken, linkLifetimeMs, readLinkCode, writeLinkCode } from "./session.ts";
import { asSentence } from "./text.ts";

/** The text fields of a form; of a repeated field the last. */
export type FormFields = Readonly<Record<string, string>>;

/** `POST /sign-in-link` with the operator's bearer token: creates a link that signs a browser in once. */
export function signInLinkRoute(deps: DashboardDeps, keys: () => Promise<DashboardKeys>): Hono<ControlEnv> {
  const routes = new Hono<ControlEnv>();
  routes.onError(errorHandler(deps));
  routes.post("/sign-in-link", authentication(deps), async (c) => {
    const code = writeLinkCode(await keys(), deps.newId(), deps.now());
    const path = `${pagePaths.signIn}?${new URLSearchParams({ code })}`;
    return c.json({ path, expiresAtMs: deps.now() + linkLifetimeMs } satisfies SignInLink, 201);
  });
  return routes;
}

/** The sign-in page and its form, open to everyone. */
export function signInRoutes(deps: DashboardDeps, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  const readRole = signInReader(deps);
  const renderForm = (
    c: Context<DashboardEnv>,
    status: 200 | 401 | 403 | 429,
    to: string,
    notice: string | null,
  ) => render(c, status, { title: "Sign in" }, <SignInForm to={to} notice={notice} />);
  routes.get("/sign-in", (c) => {
    const { code, to, ended } = c.req.query();
    if (code === undefined) {
      const notice = ended === "" ? "Your session has ended. Sign in again to continue." : null;
      return renderForm(c, 200, safeReturnPath(to), notice);
    }
    if (readLinkCode(code, c.get("keys"), deps.now()) === null)
      return renderForm(c, 401, safeReturnPath(undefined), invalidLinkNotice);
    return render(c, 200, { title: "Sign in" }, <SignInByLink code={code} />);
  });
  routes.post("/sign-in", async (c) => {
    const form = await readForm(c);
    const target = safeReturnPath(form.to);
    if (!isSameOrigin(c)) return renderForm(c, 403, target, "The form came from another site. Sign in here.");
    const unusable = tokenProblem(deps);
    if (unusable !== null) return renderMessagePage(render, c, 503, "Not configured", asSentence(unusable));
    const { role, retryAfterS } = await readRole(form, c);
    if (retryAfterS !== null) {
      c.header("retry-after", String(retryAfterS));
      return renderForm(c, 429, target, asSentence(tooManyTokens(retryAfterS)));
    }
    const notice = form.code === undefined ? wrongTokenNotice : invalidLinkNotice;
    if (role === null) return renderForm(c, 401, target, notice);
    await startSession(c, deps, role);
    return c.redirect(target, 303);
  });
  return routes;
}

const invalidLinkNotice =
  "This link has been used or has expired. Print another with `waggle dashboard`, or sign in with the token.";

const wrongTokenNotice =
  "This is not a token of the mesh. `npm start` prints it; on Cloudflare it is the secret OPERATOR_TOKEN.";

/** Reads the role from the code or token in a sign-in form. A valid code is redeemed by that. */
function signInReader(deps: DashboardDeps) {
  const check = tokenChecker(deps);
  return async ({ token = "", code }: FormFields, c: Context<DashboardEnv>): Promise<CheckedToken> => {
    if (code === undefined) return check(token.trim(), c.env.client);
    const link = readLinkCode(code, c.get("keys"), deps.now());
    const isFirstUse = link !== null && (await deps.mesh.redeem(link.id, link.expiresAtMs));
    return { role: isFirstUse ? "operator" : null, retryAfterS: null };
  };
}

/** Redirects users who are not signed in to the sign-in page, which leads back to the requested page. */
export function requireSignIn(deps: DashboardDeps): MiddlewareHandler<DashboardEnv> {
  return async (c, next) => {
    const identity = await readIdentity(c, deps);
    if (identity !== null) {
      c.set("identity", identity);
      return next();
    }
    // A WebSocket cannot follow a redirect to a form.
    if (c.req.header("upgrade") !== undefined) return c.text("sign in first", 401);
    const ended = hasSession(c) ? { ended: "" } : {};
    return c.redirect(
      `${pagePaths.signIn}?${new URLSearchParams({ to: await returnPath(c), ...ended })}`,
      303,
    );
  };
}

/** Signs out by POST only, so that a link on another page cannot. */
export function signOutRoute(deps: DashboardDeps, render: Render): DashboardRoutes {
  return new Hono<DashboardEnv>().post("/sign-out", async (c) => {
    const refusal = await refuseForeignForm(c, render);
    if (refusal !== null) return refusal;
    await endSession(c, deps);
    return c.redirect(pagePaths.signIn, 303);
  });
}

/** Null for a form from a page of this sign-in; otherwise the 403 response. */
export async function refuseForeignForm(c: Context<DashboardEnv>, render: Render): Promise<Response | null> {
  const { form = "" } = await readForm(c);
  const identity = c.get("identity");
  if (isSameOrigin(c) && identity !== undefined && isValidFormToken(form, c.get("keys"), identity))
    return null;
  return renderMessagePage(
    render,
    c,
    403,
    "Form rejected",
    "The form came from another site, or from before you signed in. Nothing was changed. Open the page again and repeat the action.",
    pagePaths.overview,
  );
}

/** Files in the form are dropped. */
export async function readForm(c: Context<DashboardEnv>): Promise<FormFields> {
  const body = await c.req.parseBody();
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** The requested page; for a form sent after the session ended, its confirmation page with its fields. */
async function returnPath(c: Context<DashboardEnv>): Promise<string> {
  const { pathname, search } = new URL(c.req.url);
  if (c.req.method === "GET" || c.req.method === "HEAD") return pathname + search;
  // An environment may hold secrets, which do not belong into a URL.
  const { form: _form, version: _version, env: _env, ...params } = await readForm(c);
  return `${pathname}?${new URLSearchParams(params)}`;
}

/** `to` if it is a path of the dashboard, else the overview. Prevents an open redirect. */
function safeReturnPath(to: string | undefined): string {
  const root = pagePaths.overview;
  if (to === undefined || !to.startsWith(root)) return root;
  const url = URL.parse(to, "https://mesh.invalid");
  const isDashboard = url?.origin === "https://mesh.invalid" && url.pathname.startsWith(root);
  // Signing in must not lead to signing out.
  return isDashboard && url.pathname !== `${root}sign-out` ? url.pathname + url.search : root;
}
