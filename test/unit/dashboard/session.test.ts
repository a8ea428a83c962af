import { expect, test } from "vitest";
import { deriveKeys } from "../../../src/dashboard/keys.ts";
import {
  formToken,
  isValidFormToken,
  readLinkCode,
  readSession,
  writeLinkCode,
  writeSession,
} from "../../../src/dashboard/session.ts";
import { fieldsOf, operatorToken, TestDashboard, viewerToken } from "./support.ts";

const tokens = { operator: "an operator's token", viewer: "a viewer's own token" };
const keys = await deriveKeys(tokens);
const nowMs = 1_800_000_000_000;
const laterMs = nowMs + 60_000;
const host = "mesh.test:8787";

test("[G62] a session is valid on its own host name and port only", () => {
  const session = writeSession(keys, { role: "operator", id: "id1", host }, laterMs);
  expect(readSession(session, keys, host, nowMs)).toMatchObject({ role: "operator", id: "id1" });
  expect(readSession(session, keys, "MESH.test:8787", nowMs)).not.toBeNull();
  for (const other of ["mesh.test", "mesh.test:8788", "other.test:8787", "127.0.0.1:8787", ""])
    expect(readSession(session, keys, other, nowMs), other).toBeNull();
});

test("[G62] a host name cannot be chosen so that it continues the signed text", () => {
  const session = writeSession(keys, { role: "operator", id: "id1", host: "a" }, laterMs);
  const [, signature = ""] = /\.([\w-]{43})$/.exec(session) ?? [];
  const shifted = `operator.id1.${laterMs}.${signature}`;
  for (const other of ["a\n", "\na", "a\noperator.id1"])
    expect(readSession(shifted, keys, other, nowMs)).toBeNull();
});

test("[G62] a session of one kind of token is not one of the other", () => {
  const session = writeSession(keys, { role: "viewer", id: "id1", host }, laterMs);
  expect(readSession(session.replace("viewer", "operator"), keys, host, nowMs)).toBeNull();
});

test("[G62] a session cookie opens the dashboard on no other host name", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const [value = ""] = dashboard.cookies.values();
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(200);
  dashboard.origin = "http://other.test:8787";
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(303);
  dashboard.origin = "https://mesh.test:8787";
  dashboard.cookies.set("__Host-waggle-8787", value);
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(200);
});

test("[G64] sessions, links and forms have keys of their own, each different for each token", async () => {
  const others = await deriveKeys({ operator: tokens.viewer, viewer: tokens.operator });
  const all = [keys, others].flatMap(({ session, link, form }) => [
    session.operator,
    session.viewer,
    link,
    form,
  ]);
  const texts = all.map((key) => Buffer.from(key ?? []).toString("hex"));
  expect(texts.every((text) => text.length === 64)).toBe(true);
  // The two roles swap their tokens, so their sessions' keys occur twice; no other key does.
  expect(new Set(texts).size).toBe(6);
  expect(texts).not.toContain(Buffer.from(tokens.operator).toString("hex"));
  expect(await deriveKeys({ operator: "", viewer: "" })).toEqual({
    session: { operator: null, viewer: null },
    link: null,
    form: null,
  });
});

test("[G64] what is signed as one is not accepted as another", () => {
  const identity = {
    role: "operator",
    actor: "operator",
    id: "id1",
    expiresAtMs: laterMs,
    by: "token",
  } as const;
  const session = writeSession(keys, { role: "operator", id: "id1", host }, laterMs);
  const link = writeLinkCode(keys, "id1", nowMs);
  const form = formToken(keys, identity);
  const signatureOf = (text: string) => text.slice(-43);
  const body = (text: string) => text.slice(0, -44);
  for (const signature of [signatureOf(link), form])
    expect(readSession(`${body(session)}.${signature}`, keys, host, nowMs)).toBeNull();
  for (const signature of [signatureOf(session), form])
    expect(readLinkCode(`${body(link)}.${signature}`, keys, nowMs)).toBeNull();
  for (const other of [signatureOf(session), signatureOf(link), session, link, ""])
    expect(isValidFormToken(other, keys, identity)).toBe(false);
  expect(isValidFormToken(form, keys, identity)).toBe(true);
  // Even for a body that could be both: a link code's id that reads as a session.
  const sessionLike = writeLinkCode(keys, "operator", nowMs);
  expect(readSession(sessionLike, keys, host, nowMs)).toBeNull();
});

test("[G63] a signed-out cookie is worthless, also in another browser, and other sessions stay", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn(viewerToken);
  const other = new Map(dashboard.cookies);
  dashboard.cookies.clear();
  await dashboard.signIn();
  const stolen = new Map(dashboard.cookies);
  const page = await dashboard.ask("GET /dashboard/");
  await dashboard.ask("POST /dashboard/sign-out", { form: fieldsOf(page.text, "account") });
  expect(dashboard.cookies.size).toBe(0);
  const replay = async (cookies: ReadonlyMap<string, string>) => {
    dashboard.cookies.clear();
    for (const [name, value] of cookies) dashboard.cookies.set(name, value);
    return dashboard.ask("GET /dashboard/");
  };
  const replayed = await replay(stolen);
  expect([replayed.status, replayed.location]).toEqual([303, "/dashboard/sign-in?to=%2Fdashboard%2F&ended="]);
  dashboard.mesh.restart();
  expect((await replay(stolen)).status).toBe(303);
  expect((await replay(other)).status).toBe(200);
});

test("[G63] signing in again ends the session that it replaces", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const [[name = "", replaced = ""] = []] = [...dashboard.cookies];
  await dashboard.signIn();
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(200);
  dashboard.cookies.set(name, replaced);
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(303);
});

/** Two sessions of a browser, of which it sends both: the cookie's name, and both values. */
async function twoSessions(dashboard: TestDashboard, tokens: readonly [string, string]) {
  const values: string[] = [];
  let cookie = "";
  for (const token of tokens) {
    dashboard.cookies.clear();
    await dashboard.signIn(token);
    dashboard.mesh.nowMs += 1_000;
    const [[name = "", value = ""] = []] = [...dashboard.cookies];
    cookie = name;
    values.push(value);
  }
  const both = (order: readonly string[]) => dashboard.cookies.set(cookie, order.join(`; ${cookie}=`));
  const opens = async (value: string) => {
    dashboard.cookies.set(cookie, value);
    return (await dashboard.ask("GET /dashboard/")).status === 200;
  };
  return { values, both, opens };
}

test("[A73] a sign-out and a sign-in end every session that the browser sent", async () => {
  const dashboard = new TestDashboard();
  for (const end of ["sign-out", "sign-in"]) {
    const { values, both, opens } = await twoSessions(dashboard, [viewerToken, operatorToken]);
    expect([await opens(values[0] ?? ""), await opens(values[1] ?? "")]).toEqual([true, true]);
    both(values);
    const page = await dashboard.ask("GET /dashboard/");
    const form = fieldsOf(page.text, "account");
    if (end === "sign-out") await dashboard.ask("POST /dashboard/sign-out", { form });
    else await dashboard.signIn();
    expect([await opens(values[0] ?? ""), await opens(values[1] ?? "")], end).toEqual([false, false]);
  }
});

test("[A73] a sign-in opens a session of its own, also with a planted cookie", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const [[name = "", planted = ""] = []] = [...dashboard.cookies];
  for (const cookie of [planted, planted.replace(/^operator/, "viewer"), "operator.planted.9.x"]) {
    dashboard.cookies.set(name, cookie);
    await dashboard.signIn();
    expect(dashboard.cookies.get(name)?.split(".")[1]).not.toBe(cookie.split(".")[1]);
    dashboard.cookies.set(name, cookie);
    expect((await dashboard.ask("GET /dashboard/")).status).toBe(303);
  }
});

test("[A74] a planted session of a viewer takes no operator's place, in any order", async () => {
  const dashboard = new TestDashboard();
  const { values, both } = await twoSessions(dashboard, [operatorToken, viewerToken]);
  for (const order of [values, values.toReversed()]) {
    both(order);
    const { text } = await dashboard.ask("GET /dashboard/");
    expect(text).toContain("can make changes");
  }
});

test("[G63] a signed cookie that the registry does not know opens nothing", async () => {
  const dashboard = new TestDashboard();
  const own = await deriveKeys({ operator: operatorToken, viewer: viewerToken });
  const expiresAtMs = dashboard.mesh.nowMs + 60_000;
  dashboard.cookies.set(
    "waggle-8787",
    writeSession(own, { role: "operator", id: "made", host }, expiresAtMs),
  );
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(303);
  dashboard.mesh.registry.openSession("made", expiresAtMs, "operator");
  expect((await dashboard.ask("GET /dashboard/")).status).toBe(200);
});

test("[G63] the socket of a page names its session, and ends with it", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const headers = { upgrade: "websocket", origin: dashboard.origin };
  await dashboard.ask("GET /dashboard/live?since=0", { headers });
  const session = new URL(dashboard.upgrades[0]?.url ?? "").searchParams.get("session") ?? "";
  expect(dashboard.mesh.registry.isSessionOpen(session)).toBe(true);
  dashboard.mesh.registry.takeEffects();
  const page = await dashboard.ask("GET /dashboard/");
  await dashboard.ask("POST /dashboard/sign-out", { form: fieldsOf(page.text, "account") });
  expect(dashboard.mesh.registry.takeEffects().endedSessions).toEqual([session]);
});

test("[G69] of several cookies with the session's name, a valid one counts", async () => {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const [[name = "", value = ""] = []] = [...dashboard.cookies];
  dashboard.cookies.clear();
  for (const cookie of [
    `${name}=forged; ${name}=${value}`,
    `${name}=${value}; ${name}=forged`,
    `${name}=; a=1;${name} = ${value} `,
    `${name}=forged, ${name}=${value}`,
  ])
    expect((await dashboard.ask("GET /dashboard/", { headers: { cookie } })).status, cookie).toBe(200);
});
