// The socket that tells an open page that something changed. It is the registry's own watch socket, so an idle mesh
// stays asleep however many look at it.

import { Hono } from "hono";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { requireIdentity } from "./identity.ts";
import { isSameOrigin } from "./same-origin.ts";

/** `GET /live?since=SEQ`: the events after SEQ, which a page that lost its socket missed, and then each as it comes. */
export function liveRoute({ upgrade }: DashboardDeps): DashboardRoutes {
  return new Hono<DashboardEnv>().get("/live", async (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return c.text("this is a WebSocket: ask for it with Upgrade: websocket", 426, { upgrade: "websocket" });
    }
    // A browser opens sockets to anywhere and sends the cookie along; only its Origin tells from where.
    if (!isSameOrigin(c)) return c.text("this socket is for pages of the mesh's own dashboard", 403);
    const since = c.req.query("since") ?? "";
    if (!/^\d{1,15}$/.test(since)) return c.text("since is the number of the last event seen", 400);
    const query = new URLSearchParams({ since, until: String(requireIdentity(c).expiresAtMs) });
    const headers = new Headers(c.req.raw.headers);
    headers.delete("cookie");
    headers.delete("cf-access-jwt-assertion");
    return upgrade(new Request(`https://registry/mesh/watch?${query}`, { headers }));
  });
}
