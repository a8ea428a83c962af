// Middleware of the control API: version, token, request id, body; and headers of every response.

import { expect, test } from "vitest";
import { MeshError } from "../../../src/domain/model/error.ts";
import { operatorToken, spec, TestControl, viewerToken } from "./support.ts";

const everyGet = [
  "/version",
  "/info",
  "/swarm",
  "/nodes",
  "/nodes/node1",
  "/services",
  "/services/my-web",
  "/tasks",
  "/networks",
  "/secrets",
  "/configs",
  "/mesh/events",
  "/mesh/status",
  "/mesh/health",
  "/services/none",
  "/nowhere",
];

test.each(everyGet)(
  "[A1] [A70] the JSON of GET %s is exactly application/json, as the Docker CLI requires, and not guessed at",
  async (path) => {
    const control = new TestControl();
    await control.create("my-web");
    const { headers, text } = await control.ask(`GET ${path}`);
    expect(headers.get("content-type")).toBe("application/json");
    expect(() => JSON.parse(text)).not.toThrow();
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  },
);

test("[A2] a ping needs no token, supports HEAD and has the API version, which is accepted before any path", async () => {
  const control = new TestControl();
  for (const line of ["GET /_ping", "HEAD /_ping"]) {
    const { status, headers } = await control.ask(line, { token: null });
    expect([status, headers.get("api-version"), headers.get("ostype")]).toEqual([200, "1.51", "linux"]);
  }
  for (const version of ["", "/v1.24", "/v1.41", "/v1.44", "/v1.47", "/v1.51"]) {
    expect((await control.ask(`GET ${version}/nodes`)).json).toHaveLength(3);
  }
});

test.each([
  ["1.52", "client version 1.52 is too new. Maximum supported API version is 1.51"],
  ["2.1", "client version 2.1 is too new. Maximum supported API version is 1.51"],
  [
    "1.9",
    "client version 1.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
  ],
])("[A2] API version %s is refused first, in Docker's words", async (version, message) => {
  const { status, json } = await new TestControl().ask(`GET /v${version}/nodes`, { token: null });
  expect([status, json]).toEqual([400, { message }]);
});

test.each([
  [null, 'Bearer realm="waggle"', "requires its operator token"],
  ["wrong", 'Bearer realm="waggle", error="invalid_token"', "does not belong to this mesh"],
  [`${operatorToken}x`, 'Bearer realm="waggle", error="invalid_token"', "does not belong to this mesh"],
])("[A3] token %s gets a 401 that says how to send a token", async (token, challenge, why) => {
  const { status, headers, json } = await new TestControl().ask("GET /services", { token });
  expect([status, headers.get("www-authenticate")]).toEqual([401, challenge]);
  expect(json.message).toContain(why);
  expect(json.message).toContain('DOCKER_CUSTOM_HEADERS="Authorization=Bearer TOKEN"');
});

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;

test("[A85] Basic credentials count with the token as the password, whatever the user, unless a page of another site sends them", async () => {
  const control = new TestControl();
  const statusOf = async (authorization: string, headers = {}) =>
    (await control.ask("GET /nodes", { token: null, headers: { authorization, ...headers } })).status;
  for (const user of ["traefik", "", "a b"])
    expect(await statusOf(basic(`${user}:${operatorToken}`))).toBe(200);
  expect(await statusOf(basic(`u:${operatorToken}`).replace("Basic", "bASIC"))).toBe(200);
  for (const wrong of ["u:wrong", "u:", operatorToken, `u:x:${operatorToken}`])
    expect(await statusOf(basic(wrong)), wrong).toBe(401);
  for (const site of ["cross-site", "same-site"])
    expect(await statusOf(basic(`u:${operatorToken}`), { "sec-fetch-site": site })).toBe(401);
  const asViewer = { token: null, headers: { authorization: basic(`u:${viewerToken}`) } };
  expect((await control.ask("GET /nodes", asViewer)).status).toBe(200);
  expect((await control.ask("DELETE /nodes/node1", asViewer)).status).toBe(403);
});

test("[A3] only a bearer token is accepted, with the scheme in any case", async () => {
  const control = new TestControl();
  const statusOf = async (authorization: string) =>
    (await control.ask("GET /nodes", { token: null, headers: { authorization } })).status;
  expect(await statusOf(`bearer ${operatorToken}`)).toBe(200);
  expect(await statusOf(operatorToken)).toBe(401);
  expect(await statusOf(`Basic ${operatorToken}`)).toBe(401);
  expect(await statusOf("Bearer ")).toBe(401);
});

test("[A3] without a token, unknown routes are 401 too", async () => {
  expect((await new TestControl().ask("GET /nowhere", { token: null })).status).toBe(401);
});

test("[A3] a mesh without an operator token refuses every request", async () => {
  const control = new TestControl(1, { operatorToken: "", viewerToken: "" });
  for (const token of [null, "x"]) expect((await control.ask("GET /nodes", { token })).status).toBe(503);
});

test("[A4] a viewer may read", async () => {
  const control = new TestControl();
  for (const path of ["/info", "/nodes", "/services", "/tasks", "/mesh/status", "/mesh/table"]) {
    expect((await control.ask(`GET ${path}`, { token: viewerToken })).status).toBe(200);
  }
});

test.each([
  "POST /services/create",
  "POST /services/my-web/update?version=1",
  "DELETE /services/my-web",
  "POST /nodes/node1/update?version=1",
  "DELETE /nodes/node1",
  "POST /swarm/update?version=1&rotateWorkerToken=true",
  "GET /swarm",
])("[A4] a viewer may not %s, which changes nothing", async (line) => {
  const control = new TestControl();
  await control.create("my-web");
  const before = control.mesh.registry.events(0, 1_000).length;
  const { status, json } = await control.ask(line, { token: viewerToken, body: spec("other") });
  expect([status, json?.message]).toEqual([
    403,
    "the viewer token is read-only: this request needs the operator token",
  ]);
  expect(control.mesh.registry.events(0, 1_000)).toHaveLength(before);
});

test("[A5] a response has the request's id; an invalid id is replaced", async () => {
  const control = new TestControl();
  const idOf = async (headers: Record<string, string>, line = "GET /nodes") =>
    (await control.ask(line, { headers })).headers.get("x-request-id");
  expect(await idOf({ "x-request-id": "abc-1" })).toBe("abc-1");
  expect(await idOf({ "x-request-id": "abc-1" }, "GET /nowhere")).toBe("abc-1");
  expect(await idOf({})).toMatch(/^id\d+$/);
  expect(await idOf({ "x-request-id": "a b" })).toMatch(/^id\d+$/);
  expect(await idOf({ "x-request-id": "x".repeat(129) })).toMatch(/^id\d+$/);
});

const tooLargeBytes = 1_048_577;

test.each([
  ["cut off", '{"Name":', 400, "unexpected EOF"],
  ["cut off after a brace", "{", 400, "unexpected EOF"],
  ["cut off in a name", '{"Na', 400, "unexpected EOF"],
  ["cut off after a value", '{"Labels":{"a":"b"}\n', 400, "unexpected EOF"],
  ["cut off in a list", '{"Args":["a"', 400, "unexpected EOF"],
  ["empty", "", 400, "unexpected EOF: the body is empty and should be JSON"],
  ["not JSON", "{Name: my-web}", 400, "the body is not JSON: "],
  ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), 400, "the body is not UTF-8 text"],
  ["no object", "[]", 400, "cannot read the service spec: expected object, read []"],
  ["deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 400, "the body is nested deeper than 64 levels"],
  ["too large", " ".repeat(tooLargeBytes), 413, "the body is larger than 1048576 bytes"],
  ["too large, unannounced", endless(), 413, "the body is larger than 1048576 bytes"],
] as const)(
  "[A6] a body that is %s is refused, and changes nothing",
  async (_what, text, status, message) => {
    const control = new TestControl();
    const response = await control.ask("POST /services/create", { text });
    expect(response.status).toBe(status);
    expect(response.json.message).toContain(message);
    expect(control.mesh.registry.services()).toEqual([]);
  },
);

test("[A6] a body of exactly 1 MiB is read", async () => {
  const text = JSON.stringify(spec("my-web")).padEnd(tooLargeBytes - 1, " ");
  expect((await new TestControl().ask("POST /services/create", { text })).status).toBe(201);
});

test.each([
  ["thing/invalid", 400],
  ["thing/unauthorized", 401],
  ["thing/forbidden", 403],
  ["thing/not-found", 404],
  ["thing/conflict", 409],
  ["thing/precondition", 400],
  ["thing/sequence", 500],
  ["thing/too-large", 413],
  ["thing/unavailable", 503],
  ["thing/internal", 500],
] as const)("[A7] an error %s gets a %i, with its message in Docker's body", async (code, status) => {
  const control = new TestControl();
  control.mesh.registry.info = () => {
    throw new MeshError(code, "why", { blame: "mesh", retry: "never" });
  };
  const response = await control.ask("GET /info");
  expect([response.status, response.json]).toEqual([status, { message: "why" }]);
});

test("[A8] an unexpected error is a 500 that names its log record; the record has the cause and no secret", async () => {
  const control = new TestControl();
  control.mesh.registry.nodes = () => {
    throw new TypeError("undefined is not a bee");
  };
  const headers = { "x-request-id": "abc" };
  const { status, json, text } = await control.ask("GET /nodes?filters=%7B%7D", { headers });
  expect([status, json]).toEqual([
    500,
    { message: "internal error of the mesh; its log has the details under request abc" },
  ]);
  expect(text).not.toContain("bee");
  expect(control.log).toMatchObject([{ requestId: "abc", method: "GET", path: "/nodes" }]);
  expect(JSON.stringify(control.log)).toContain("undefined is not a bee");
  expect(JSON.stringify(control.log)).not.toContain(operatorToken);
});

test.each(["GET /nowhere", "GET /", "POST /services", "PUT /nodes/node1", "GET /container", "GET /v1.44"])(
  "[A9] %s gets a 404 in Docker's words",
  async (line) => {
    const { status, json } = await new TestControl().ask(line);
    expect([status, json]).toEqual([404, { message: "page not found" }]);
  },
);

/** A stream of chunks without end. */
function endless(): ReadableStream {
  return new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65_536).fill(0x20)) });
}
