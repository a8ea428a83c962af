import { expect, test } from "vitest";
import { sessionLifetimeMs } from "../../../src/dashboard/session.ts";
import { operatorToken, TestDashboard, viewerToken } from "./support.ts";

const upgrade = { upgrade: "websocket", connection: "Upgrade", origin: "http://mesh.test:8787" };

test("[G13] a page of the dashboard opens the socket for a signed-in user, from the last event seen", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn(viewerToken);
  const response = await dashboard.ask("GET /dashboard/live?since=41", { headers: upgrade });
  expect(response.text).toBe("from the object");
  const [request] = dashboard.upgrades;
  const url = new URL(request?.url ?? "");
  expect([url.pathname, url.searchParams.get("since")]).toEqual(["/mesh/watch", "41"]);
  expect(Number(url.searchParams.get("until"))).toBe(dashboard.mesh.nowMs + sessionLifetimeMs);
  expect([request?.headers.get("cookie"), request?.headers.get("upgrade")]).toEqual([null, "websocket"]);
});

test.each([
  ["a user who is not signed in", false, upgrade, "since=0", 401],
  ["a page of another site", true, { ...upgrade, origin: "https://evil.example" }, "since=0", 403],
  ["a page of another port", true, { ...upgrade, origin: "http://mesh.test:8080" }, "since=0", 403],
  ["a request that is not an upgrade", true, {}, "since=0", 426],
  ["a `since` that is not a number", true, upgrade, "since=x", 400],
  ["an absent `since`", true, upgrade, "", 400],
])("[G13] the socket is refused for %s", async (_case, signsIn, headers, query, status) => {
  const dashboard = new TestDashboard();
  if (signsIn) await dashboard.signIn(operatorToken);
  expect((await dashboard.ask(`GET /dashboard/live?${query}`, { headers })).status).toBe(status);
  expect(dashboard.upgrades).toEqual([]);
});
