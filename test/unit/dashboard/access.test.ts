import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readAccessSettings } from "../../../src/dashboard/access.ts";
import { fieldsOf, TestDashboard } from "./support.ts";

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

const audience = "f0e1d2";
let keys: Keys;
let foreignKeys: Keys;
let server: Server;
let issuer: string;
let dashboard: TestDashboard;

beforeAll(async () => {
  [keys, foreignKeys] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256" };
  server = createServer((request, response) => {
    response.statusCode = request.url === "/cdn-cgi/access/certs" ? 200 : 404;
    response.end(JSON.stringify({ keys: [jwk] }));
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

/** An assertion like those of Access; valid unless `claims` say otherwise. */
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

test("[G7] users of Access are viewers; those named in ACCESS_OPERATORS are operators, and the events name them", async () => {
  const eve = await assertion({ email: "eve@example.com" });
  const viewed = await dashboard.ask("GET /dashboard/nodes/node1", { headers: eve });
  expect(viewed.status).toBe(200);
  expect(viewed.text).toContain("eve@example.com (viewer)");
  expect(viewed.text).toContain("ask for your address to be added to ACCESS_OPERATORS");
  const headers = await assertion({ email: "ANN@example.com" });
  const page = await dashboard.ask("GET /dashboard/nodes/node1/availability?to=pause", { headers });
  const form = fieldsOf(page.text, "confirm");
  const response = await dashboard.ask("POST /dashboard/nodes/node1/availability", { headers, form });
  expect(response.status).toBe(303);
  expect(dashboard.mesh.registry.events(0, 1_000)).toContainEqual(
    expect.objectContaining({ action: "node.update", actor: "ANN@example.com" }),
  );
});

test("[G4] [G7] a form made for one user is rejected from another", async () => {
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
  ["that has expired", { endsInS: -60 }, /&quot;exp&quot; claim/],
])("[G7] an assertion %s is rejected with the reason", async (_case, claims, reason) => {
  const refused = await dashboard.ask("GET /dashboard/", { headers: await assertion(claims) });
  expect(refused.status).toBe(401);
  expect(refused.text).toMatch(reason);
});

test("[G7] an assertion that Access did not sign is rejected", async () => {
  const forged = await dashboard.ask("GET /dashboard/", { headers: await assertion({}, foreignKeys) });
  expect(forged.status).toBe(401);
  const unsigned = { "cf-access-jwt-assertion": "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9." };
  expect((await dashboard.ask("GET /dashboard/", { headers: unsigned })).status).toBe(401);
});

test("[G7] without Access set up, its header is ignored", async () => {
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

test("[G7] if Access's keys cannot be fetched, the response is a 503 that suggests trying again", async () => {
  const access = readAccessSettings({ teamDomain: `${issuer}/nowhere`, audience, operators: "" });
  const withoutKeys = new TestDashboard(1, { access });
  const response = await withoutKeys.ask("GET /dashboard/", {
    headers: await assertion({ iss: `${issuer}/nowhere` }),
  });
  expect([response.status, response.text.includes("try again")]).toEqual([503, true]);
});
