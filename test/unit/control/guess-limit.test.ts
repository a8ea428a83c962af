import { expect, test } from "vitest";
import { GuessLimit } from "../../../src/control/guess-limit.ts";
import { operatorToken, TestControl, viewerToken } from "./support.ts";

const nowMs = 1_800_000_000_000;
const isAllowed = (limit: GuessLimit, address: string, atMs: number) => limit.count(address, atMs) === null;

test("[A62] ten wrong tokens of an address are allowed at once, then one every six seconds", () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 10; guess += 1) expect(isAllowed(limit, "192.0.2.1", nowMs)).toBe(true);
  expect(limit.count("192.0.2.1", nowMs)).toBe(6);
  expect(limit.count("192.0.2.1", nowMs + 4_500)).toBe(2);
  expect(isAllowed(limit, "192.0.2.2", nowMs)).toBe(true);
  expect(isAllowed(limit, "192.0.2.1", nowMs + 6_000)).toBe(true);
  expect(isAllowed(limit, "192.0.2.1", nowMs + 6_000)).toBe(false);
  for (let guess = 0; guess < 10; guess += 1)
    expect(isAllowed(limit, "192.0.2.1", nowMs + 66_000)).toBe(true);
  expect(isAllowed(limit, "192.0.2.1", nowMs + 66_000)).toBe(false);
});

test("[A62] waiting as long as the response says is enough, however often the client tried meanwhile", () => {
  const limit = new GuessLimit();
  let atMs = nowMs;
  for (let guess = 0; guess < 500; guess += 1) {
    const retryAfterS = limit.count("192.0.2.1", atMs);
    expect(retryAfterS ?? 0).toBeLessThanOrEqual(6);
    if (guess % 50 !== 49) continue;
    atMs += (retryAfterS ?? 0) * 1_000;
    expect(isAllowed(limit, "192.0.2.1", atMs)).toBe(true);
  }
});

test("[A62] a clock that is set back makes no client wait longer than a minute", () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 20; guess += 1) limit.count("192.0.2.1", nowMs);
  expect(limit.count("192.0.2.1", nowMs - 1_800_000)).toBeLessThanOrEqual(6);
});

test("[A62] an IPv6 network of 64 bits counts as one address, and an IPv4-mapped address as IPv4", () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 10; guess += 1) limit.count(`2001:db8:1:2:${guess}::1`, nowMs);
  expect(isAllowed(limit, "2001:db8:1:2:ffff::9", nowMs)).toBe(false);
  expect(isAllowed(limit, "2001:db8:1:3::1", nowMs)).toBe(true);
});

test("[A62] at most 10,000 addresses are remembered, and the one that guessed last is not forgotten", () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 11; guess += 1) limit.count("192.0.2.1", nowMs);
  for (let address = 0; address < 30_000; address += 1) {
    limit.count(`10.${address >> 16}.${(address >> 8) & 255}.${address & 255}`, nowMs);
    if (address % 5_000 === 0) limit.count("192.0.2.1", nowMs);
  }
  expect(limit.size).toBe(10_000);
  expect(isAllowed(limit, "192.0.2.1", nowMs)).toBe(false);
});

test("[A62] after too many wrong tokens the API responds with 429, and the right token is still accepted", async () => {
  const control = new TestControl(1);
  const ask = (token: string | null, client = "192.0.2.1") => control.ask("GET /nodes", { token, client });
  for (let guess = 0; guess < 10; guess += 1)
    expect((await ask(`guess ${guess}`.replace(" ", ""))).status).toBe(401);
  const refused = await ask("another");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "6"]);
  expect(refused.json.message).toBe(
    "too many wrong tokens came from this address: try again in 6 s; the right token is accepted at any time",
  );
  for (const token of [operatorToken, viewerToken]) expect((await ask(token)).status).toBe(200);
  expect((await ask("another")).status).toBe(429);
  expect((await ask("another", "192.0.2.2")).status).toBe(401);
  // A request without a token is not a guess.
  expect((await ask(null)).status).toBe(401);
  control.mesh.nowMs += 6_000;
  expect((await ask("another")).status).toBe(401);
});

test.each([
  [{ operatorToken: "short", viewerToken: "" }, "OPERATOR_TOKEN", 5],
  [{ operatorToken: "fifteen-bytes-1", viewerToken: "" }, "OPERATOR_TOKEN", 15],
  [{ operatorToken: "an-operator-secret", viewerToken: "view" }, "VIEWER_TOKEN", 4],
])("[A61] with the tokens %j the API is not served, and says why", async (tokens, name, bytes) => {
  const control = new TestControl(1, tokens);
  for (const token of [tokens.operatorToken, tokens.viewerToken, "x", null]) {
    const { status, json } = await control.ask("GET /nodes", { token });
    expect([status, json.message]).toEqual([
      503,
      `the secret ${name} has ${bytes} bytes, and at least 16 are needed: set a random one, as openssl rand -base64 24 prints`,
    ]);
  }
  expect((await control.ask("GET /_ping", { token: null })).status).toBe(200);
});

test("[A61] a token of 16 bytes is accepted, counted in UTF-8", async () => {
  for (const operatorToken of ["sixteen-bytes-16", "üüüüüüüü"]) {
    const control = new TestControl(1, { operatorToken, viewerToken: "" });
    // Fetch refuses characters beyond Latin-1 in a header, so only the status of a request without one is read.
    expect((await control.ask("GET /nodes", { token: null })).status).toBe(401);
  }
});
