import { expect, test } from "vitest";
import { GuessLimit } from "../../../src/control/guess-limit.ts";
import { sessionLifetimeMs } from "../../../src/dashboard/session.ts";
import { fieldsOf, operatorToken, TestDashboard, viewerToken } from "./support.ts";

test("[G1] a user who is not signed in is redirected to the sign-in page, and from there to the requested page", async () => {
  const dashboard = new TestDashboard();
  const redirect = await dashboard.ask("GET /dashboard/events?q=down");
  expect([redirect.status, redirect.location]).toEqual([
    303,
    "/dashboard/sign-in?to=%2Fdashboard%2Fevents%3Fq%3Ddown",
  ]);
  const form = await dashboard.ask(`GET ${redirect.location}`);
  const { to } = fieldsOf(form.text, "sign-in");
  expect(to).toBe("/dashboard/events?q=down");
  const signedIn = await dashboard.signIn(operatorToken, to);
  expect([signedIn.status, signedIn.location]).toEqual([303, "/dashboard/events?q=down"]);
  expect((await dashboard.ask("GET /dashboard/events")).status).toBe(200);
});

test.each([
  "https://evil.example/dashboard/",
  "//evil.example/dashboard/",
  "/dashboard/../v1.44/nodes",
  "/dashboard//..//..//evil.example",
  "/\\evil.example",
  "javascript:alert(1)",
  "/dashboard/sign-out",
])("[G1] signing in never leads to %s", async (to) => {
  const { location } = await new TestDashboard().signIn(operatorToken, to);
  const url = new URL(location ?? "", "http://mesh.test:8787");
  expect(url.origin).toBe("http://mesh.test:8787");
  expect(url.pathname.startsWith("/dashboard/")).toBe(true);
  expect(url.pathname).not.toBe("/dashboard/sign-out");
});

test("[G1] a wrong token is rejected with the reason, and starts no session", async () => {
  const dashboard = new TestDashboard();
  const refused = await dashboard.signIn(`${operatorToken}x`);
  expect([refused.status, dashboard.cookies.size]).toEqual([401, 0]);
  expect(refused.text).toContain("This is not a token of the mesh");
});

test("[G1] an empty token is rejected by a mesh without a viewer token", async () => {
  const dashboard = new TestDashboard(1, { viewerToken: "" });
  expect((await dashboard.signIn("")).status).toBe(401);
});

test("[G2] a session lasts twelve hours; then the sign-in page says that it has ended", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  dashboard.mesh.nowMs += sessionLifetimeMs - 1;
  expect((await dashboard.ask("GET /dashboard/nodes")).status).toBe(200);
  dashboard.mesh.nowMs += 1;
  const sent = await dashboard.ask("GET /dashboard/nodes");
  expect(sent.location).toBe("/dashboard/sign-in?to=%2Fdashboard%2Fnodes&ended=");
  expect((await dashboard.ask(`GET ${sent.location}`)).text).toContain("Your session has ended");
});

test("[G2] a session ends when its token changes, and a changed cookie is rejected", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn(viewerToken);
  const [[name = "", value = ""] = []] = [...dashboard.cookies];
  const other = new TestDashboard(2, { viewerToken: "another" });
  other.cookies.set(name, value);
  expect((await other.ask("GET /dashboard/")).status).toBe(303);
  for (const forged of [
    value.replace("viewer", "operator"),
    value.replace(/\.(\d+)\./, ".9$1."),
    `${value}A`,
    "",
  ]) {
    dashboard.cookies.set(name, forged);
    expect((await dashboard.ask("GET /dashboard/")).status).toBe(303);
  }
});

test("[G2] signing out ends the session in this browser, and needs a form of the dashboard", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  expect((await dashboard.ask("GET /dashboard/sign-out")).status).toBe(404);
  expect((await dashboard.ask("POST /dashboard/sign-out", { form: {} })).status).toBe(403);
  const page = await dashboard.ask("GET /dashboard/");
  const signedOut = await dashboard.ask("POST /dashboard/sign-out", { form: fieldsOf(page.text, "account") });
  expect([signedOut.status, dashboard.cookies.size]).toEqual([303, 0]);
});

test("[G3] the cookie is HttpOnly, SameSite=Strict, limited to its path over HTTP, and to its host name over HTTPS", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  expect(dashboard.setCookie).toMatch(
    /^waggle-8787=[^;]+; Max-Age=43200; Path=\/dashboard\/; HttpOnly; SameSite=Strict$/,
  );
  dashboard.origin = "https://mesh.example";
  await dashboard.signIn();
  expect(dashboard.setCookie).toMatch(
    /^__Host-waggle=[^;]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test("[G6] a link signs an operator in once, and opening it does not redeem it", async () => {
  const dashboard = new TestDashboard();
  const headers = { authorization: `Bearer ${operatorToken}` };
  const created = await dashboard.ask("POST /dashboard/sign-in-link", { headers });
  expect(created.status).toBe(201);
  const { path } = JSON.parse(created.text);
  for (let visit = 0; visit < 2; visit += 1) expect((await dashboard.ask(`GET ${path}`)).status).toBe(200);
  const form = fieldsOf((await dashboard.ask(`GET ${path}`)).text, "sign-in");
  expect((await dashboard.ask("POST /dashboard/sign-in", { form })).status).toBe(303);
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(200);
  dashboard.cookies.clear();
  const again = await dashboard.ask("POST /dashboard/sign-in", { form });
  expect([again.status, dashboard.cookies.size]).toEqual([401, 0]);
  expect(again.text).toContain("This link has been used");
});

test("[G6] a link expires after 15 minutes, and only the operator token creates one", async () => {
  const dashboard = new TestDashboard();
  const createLink = (token: string) =>
    dashboard.ask("POST /dashboard/sign-in-link", { headers: { authorization: `Bearer ${token}` } });
  expect((await createLink(viewerToken)).status).toBe(403);
  expect((await createLink("wrong")).status).toBe(401);
  const { path } = JSON.parse((await createLink(operatorToken)).text);
  dashboard.mesh.nowMs += 15 * 60_000;
  expect((await dashboard.ask(`GET ${path}`)).status).toBe(401);
  const form = { code: new URLSearchParams(path.split("?")[1]).get("code") ?? "" };
  expect((await dashboard.ask("POST /dashboard/sign-in", { form })).status).toBe(401);
});

test("[G67] after too many wrong tokens the sign-in form gets 429, and the right token still signs in", async () => {
  const dashboard = new TestDashboard();
  for (let guess = 0; guess < 10; guess += 1) expect((await dashboard.signIn("wrong")).status).toBe(401);
  const refused = await dashboard.signIn("wrong", "/dashboard/events");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "6"]);
  expect(refused.text).toContain("Too many wrong tokens came from this address: try again in 6 s");
  expect(fieldsOf(refused.text, "sign-in").to).toBe("/dashboard/events");
  expect((await dashboard.signIn()).status).toBe(303);
});

test("[G67] the sign-in link's route counts wrong tokens too", async () => {
  const guesses = new GuessLimit();
  const dashboard = new TestDashboard(1, { guesses });
  for (let guess = 0; guess < 5; guess += 1) {
    await dashboard.signIn("wrong");
    await dashboard.ask("POST /dashboard/sign-in-link", { headers: { authorization: "Bearer wrong" } });
  }
  expect((await dashboard.signIn("wrong")).status).toBe(429);
});

test("[A61] a token that is too short signs in to no dashboard, with the reason", async () => {
  const dashboard = new TestDashboard(1, { operatorToken: "short" });
  const refused = await dashboard.signIn("short");
  expect([refused.status, dashboard.cookies.size]).toEqual([503, 0]);
  expect(refused.text).toContain("The secret OPERATOR_TOKEN has 5 bytes, and at least 16 are needed");
});

test("[G66] of two browsers that submit one link at the same time, one is signed in", async () => {
  const dashboard = new TestDashboard();
  const headers = { authorization: `Bearer ${operatorToken}` };
  const { path } = JSON.parse((await dashboard.ask("POST /dashboard/sign-in-link", { headers })).text);
  const code = new URLSearchParams(path.split("?")[1]).get("code") ?? "";
  const responses = await Promise.all(
    Array.from({ length: 8 }, () => dashboard.ask("POST /dashboard/sign-in", { form: { code } })),
  );
  expect(responses.map(({ status }) => status).sort()).toEqual([303, 401, 401, 401, 401, 401, 401, 401]);
  dashboard.cookies.clear();
  dashboard.mesh.restart();
  expect((await dashboard.ask("POST /dashboard/sign-in", { form: { code } })).status).toBe(401);
});

test("[G66] a link that was changed, or that another mesh made, signs in nowhere", async () => {
  const headers = { authorization: `Bearer ${operatorToken}` };
  const codeOf = async (dashboard: TestDashboard, authorization = headers) => {
    const { text } = await dashboard.ask("POST /dashboard/sign-in-link", { headers: authorization });
    return new URLSearchParams(JSON.parse(text).path.split("?")[1]).get("code") ?? "";
  };
  const dashboard = new TestDashboard();
  const code = await codeOf(dashboard);
  const otherToken = "another-mesh's-token";
  const other = new TestDashboard(1, { operatorToken: otherToken });
  const [id = "", expiry = "", signature = ""] = code.split(".");
  for (const forged of [
    await codeOf(other, { authorization: `Bearer ${otherToken}` }),
    `${id}2.${expiry}.${signature}`,
    `${id}.${Number(expiry) + 1}.${signature}`,
    `${id}.${expiry}.${"A".repeat(43)}`,
    `${id}.${expiry}.`,
    `${code} `,
    ` ${code}`,
    `${code}\n`,
    "",
  ])
    expect((await dashboard.ask("POST /dashboard/sign-in", { form: { code: forged } })).status, forged).toBe(
      401,
    );
  expect((await dashboard.ask("POST /dashboard/sign-in", { form: { code } })).status).toBe(303);
});

test("[G4] another site's form cannot sign in", async () => {
  const dashboard = new TestDashboard();
  const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const form = { token: operatorToken };
  expect((await dashboard.ask("POST /dashboard/sign-in", { headers, form })).status).toBe(403);
  expect(dashboard.cookies.size).toBe(0);
});

test("[G9] no cache keeps a page, hashed files are cached for a year, and scripts come from the dashboard alone", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  for (const path of [
    "/dashboard/",
    "/dashboard/nowhere",
    "/dashboard/sign-in",
    "/dashboard/services/none",
  ]) {
    const { headers, text } = await dashboard.ask(`GET ${path}`);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    // The pages contain nothing that the policy would block.
    expect(text).not.toMatch(/<script(?![^>]*\ssrc=)|\sstyle=|<style|\son[a-z]+=/);
  }
  const file = await dashboard.ask("GET /dashboard/assets/live-00000001.js");
  expect([file.status, file.headers.get("cache-control")]).toEqual([
    200,
    "public, max-age=31536000, immutable",
  ]);
  expect((await dashboard.ask("GET /dashboard/assets/live-00000002.js")).status).toBe(404);
});
