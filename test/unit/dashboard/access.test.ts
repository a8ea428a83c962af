import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readAccessSettings } from "../../../src/dashboard/access.ts";
import { fieldsOf, TestDashboard } from "./support.ts";

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

const audience = "f0e1d2";
let keys: Keys;
let others: Keys;
let server: Server;
let issuer: string;
let dashboard: TestDashboard;

beforeAll(async () => {
  [keys, others] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256" };
  server = createServer((request, answer) => {
    answer.statusCode = request.url === "/cdn-cgi/access/certs" ? 200 : 404;
    answer.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

beforeEach(() => {
  const access = readAccessSettings({
    teamDomain: issuer,
    audience,
    operators: "Ann@example.com, bob@example.com",
  });
  dashboard = new TestDashboard(1, { access });
});

type Claims = {
  readonly email?: string;
  readonly aud?: string;
  readonly iss?: string;
  readonly endsInS?: number;
};

/** An assertion as Access makes them; right unless told otherwise. */
async function assertion(claims: Claims = {}, { privateKey }: Keys = keys): Promise<Record<string, string>> {
  const { email = "ann@example.com", aud = audience, iss = issuer, endsInS = 600 } = claims;
  const token = await new SignJWT({ email })
    .setProtectedHeader({ alg: "RS256", kid: "k1" })
    .setSubject("user-1")
    .setAudience(aud)
    .setIssuer(iss)
    .setExpirationTime(Math.floor(dashboard.mesh.nowMs / 1_000) + endsInS)
    .sign(privateKey);
  return { "cf-access-jwt-assertion": token };
}

test("[G7] whom Access lets in may look; who is named in ACCESS_OPERATORS may act, under their own name", async () => {
  const eve = await assertion({ email: "eve@example.com" });
  const looked = await dashboard.ask("GET /dashboard/nodes/node1", { headers: eve });
  expect(looked.status).toBe(200);
  expect(looked.text).toContain("eve@example.com (viewer)");
  expect(looked.text).toContain("have your address added to ACCESS_OPERATORS");
  const headers = await assertion({ email: "ANN@example.com" });
  const page = await dashboard.ask("GET /dashboard/nodes/node1/availability?to=pause", { headers });
  const form = fieldsOf(page.text, "confirm");
  const done = await dashboard.ask("POST /dashboard/nodes/node1/availability", { headers, form });
  expect(done.status).toBe(303);
  expect(dashboard.mesh.registry.events(0, 1_000)).toContainEqual(
    expect.objectContaining({ action: "node.update", actor: "ANN@example.com" }),
  );
});

test("[G4] [G7] a form made for one person does not count for another", async () => {
  const page = await dashboard.ask("GET /dashboard/nodes/node1/availability?to=pause", {
    headers: await assertion({ email: "bob@example.com" }),
  });
  const form = fieldsOf(page.text, "confirm");
  const headers = await assertion({ email: "ann@example.com" });
  const sent = await dashboard.ask("POST /dashboard/nodes/node1/availability", { headers, form });
  expect(sent.status).toBe(403);
});

test.each<[string, Claims, RegExp]>([
  ["for another application", { aud: "another" }, /&quot;aud&quot; claim/],
  ["of another team", { iss: "https://evil.cloudflareaccess.com" }, /&quot;iss&quot; claim/],
  ["whose time is over", { endsInS: -60 }, /&quot;exp&quot; claim/],
])("[G7] an assertion %s is refused with its reason", async (_what, claims, reason) => {
  const refused = await dashboard.ask("GET /dashboard/", { headers: await assertion(claims) });
  expect(refused.status).toBe(401);
  expect(refused.text).toMatch(reason);
});

test("[G7] an assertion that Access did not sign is refused", async () => {
  const forged = await dashboard.ask("GET /dashboard/", { headers: await assertion({}, others) });
  expect(forged.status).toBe(401);
  const unsigned = { "cf-access-jwt-assertion": "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9." };
  expect((await dashboard.ask("GET /dashboard/", { headers: unsigned })).status).toBe(401);
});

test("[G7] without Access set up, its header says nothing", async () => {
  const plain = new TestDashboard(1);
  const headers = await assertion();
  expect((await plain.ask("GET /dashboard/", { headers })).status).toBe(303);
  for (const [teamDomain, aud] of [
    ["", "x"],
    ["x", ""],
  ] as const) {
    expect(readAccessSettings({ teamDomain, audience: aud, operators: "" })).toBeNull();
  }
});

test("[G7] when Access's keys cannot be had, it says that trying again may help", async () => {
  const access = readAccessSettings({ teamDomain: `${issuer}/nowhere`, audience, operators: "" });
  const away = new TestDashboard(1, { access });
  const answer = await away.ask("GET /dashboard/", {
    headers: await assertion({ iss: `${issuer}/nowhere` }),
  });
  expect([answer.status, answer.text.includes("try again")]).toEqual([503, true]);
});
