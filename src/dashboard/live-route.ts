// The WebSocket that wakes an open page when the mesh changes. It is the registry's own hibernating watch
// socket, so an idle mesh costs nothing however many pages are open.

import { Hono } from "hono";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { requireIdentity } from "./identity.ts";
import { isSameOrigin } from "./same-origin.ts";

/** `GET /live?since=SEQ`: sends all events after SEQ, past and new, until the session ends. */
export function liveRoute({ forward }: DashboardDeps): DashboardRoutes {
  return new Hono<DashboardEnv>().get("/live", async (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return c.text("this is a WebSocket: send Upgrade: websocket", 426, { upgrade: "websocket" });
    }
    // A browser opens sockets from any site and sends the cookie along: only Origin identifies the page.
    if (!isSameOrigin(c)) return c.text("this socket is for pages of the mesh's own dashboard", 403);
    const since = c.req.query("since") ?? "";
    if (!/^\d{1,15}$/.test(since)) return c.text("since must be the number of the last event seen", 400);
    const { by, id, expiresAtMs } = requireIdentity(c);
    const session = by === "token" ? { session: id } : {};
    const query = new URLSearchParams({ since, until: String(expiresAtMs), ...session });
    const headers = new Headers(c.req.raw.headers);
    headers.delete("cookie");
    headers.delete("cf-access-jwt-assertion");
    return forward(new Request(`https://registry/mesh/watch?${query}`, { headers }));
  });
}
