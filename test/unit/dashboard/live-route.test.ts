import { expect, test } from "vitest";
import { sessionLifetimeMs } from "../../../src/dashboard/session.ts";
import { operatorToken, TestDashboard, viewerToken } from "./support.ts";

const upgrade = { upgrade: "websocket", connection: "Upgrade", origin: "http://mesh.test:8787" };

test("[G13] the socket is opened by a page of our own for who is signed in, from the last event seen", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn(viewerToken);
  const answer = await dashboard.ask("GET /dashboard/live?since=41", { headers: upgrade });
  expect(answer.text).toBe("from the object");
  const [request] = dashboard.upgrades;
  const url = new URL(request?.url ?? "");
  expect([url.pathname, url.searchParams.get("since")]).toEqual(["/mesh/watch", "41"]);
  expect(Number(url.searchParams.get("until"))).toBe(dashboard.mesh.nowMs + sessionLifetimeMs);
  expect([request?.headers.get("cookie"), request?.headers.get("upgrade")]).toEqual([null, "websocket"]);
});

test.each([
  ["who is not signed in", false, upgrade, "since=0", 401],
  ["a page of another site", true, { ...upgrade, origin: "https://evil.example" }, "since=0", 403],
  ["a page of another port", true, { ...upgrade, origin: "http://mesh.test:8080" }, "since=0", 403],
  ["a question that is no upgrade", true, {}, "since=0", 426],
  ["a point that is no number", true, upgrade, "since=x", 400],
  ["no point at all", true, upgrade, "", 400],
])("[G13] the socket is refused to %s", async (_who, signsIn, headers, query, status) => {
  const dashboard = new TestDashboard();
  if (signsIn) await dashboard.signIn(operatorToken);
  expect((await dashboard.ask(`GET /dashboard/live?${query}`, { headers })).status).toBe(status);
  expect(dashboard.upgrades).toEqual([]);
});
