import { expect, test } from "vitest";
import { filtered, operatorToken, publishing, running, spec, TestControl, viewerToken } from "./support.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const secretText = "hunter2 opens it";

async function created(control: TestControl, kind: string, name: string, labels = {}): Promise<string> {
  const body = { Name: name, Labels: labels, Data: base64(secretText) };
  const { status, json } = await control.ask(`POST /${kind}s/create`, { body });
  expect([status, Object.keys(json)]).toEqual([201, ["ID"]]);
  return json.ID;
}

const secretRef = (
  id: string,
  name: string,
  file: object = { Name: name, UID: "0", GID: "0", Mode: 0o444 },
) => running({ Secrets: [{ SecretID: id, SecretName: name, File: file }] });

test("[A160] secrets and configs are listed and inspected in Docker's form; only a config shows its data", async () => {
  const control = new TestControl();
  const id = await created(control, "secret", "password", { a: "b" });
  const expected = {
    ID: id,
    Version: { Index: 1 },
    CreatedAt: "2027-01-15T08:00:00.000Z",
    UpdatedAt: "2027-01-15T08:00:00.000Z",
    Spec: { Name: "password", Labels: { a: "b" } },
  };
  expect((await control.ask("GET /secrets")).json).toEqual([expected]);
  for (const ref of [id, "password", id.slice(0, 24)])
    expect((await control.ask(`GET /secrets/${ref}`)).json).toEqual(expected);
  const config = await created(control, "config", "password");
  const { Spec } = (await control.ask(`GET /configs/${config}`)).json;
  expect(Spec).toEqual({ Name: "password", Labels: {}, Data: base64(secretText) });
  expect((await control.ask("GET /configs")).text).not.toContain(base64(secretText));
  expect((await control.ask(`GET /secrets/${config}`)).status).toBe(404);
});

test("[A161] ids and names are alternatives of a filter, and labels must match too", async () => {
  const control = new TestControl();
  for (const [name, labels] of [
    ["db-password", { tier: "db" }],
    ["db-user", {}],
    ["web", { tier: "web" }],
  ] as const)
    await created(control, "secret", name, labels);
  const names = async (filters: Record<string, readonly string[]>) =>
    (await control.ask(filtered("GET /secrets", filters))).json.map(
      ({ Spec }: { Spec: { Name: string } }) => Spec.Name,
    );
  expect(await names({ name: ["db"] })).toEqual(["db-password", "db-user"]);
  expect(await names({ names: ["web", "db"] })).toEqual(["web"]);
  expect(await names({ name: ["db"], names: ["web"] })).toEqual(["db-password", "db-user", "web"]);
  expect(await names({ name: ["db"], label: ["tier=db"] })).toEqual(["db-password"]);
  expect((await control.ask(filtered("GET /configs", { names: ["a"] }))).status).toBe(400);
});

test.each([
  ["no name", {}, 400, "name must be provided"],
  ["a bad name", { Name: "-a" }, 400, "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed"],
  ["a long name", { Name: "a".repeat(65) }, 400, "invalid name, only 64"],
  ["no data", { Data: "" }, 400, "secret data must be larger than 0 and less than 512000 bytes"],
  ["500 KiB", { Data: base64("x".repeat(512_000)) }, 400, "secret data must be larger than 0 and less than"],
  ["3 MB", { Data: base64("x".repeat(3e6)) }, 400, "secret data must be larger than 0 and less than"],
  ["no base64", { Data: secretText }, 400, "illegal base64 data"],
  ["a number", { Data: 42_424_242 }, 400, "illegal base64 data"],
  ["a template", { Templating: { Name: "golang" } }, 400, 'template driver "golang" is not supported'],
  ["a driver", { Driver: { Name: "vault" } }, 400, 'secret driver "vault" is not supported'],
  ["a taken name", { Name: "taken" }, 409, "code = AlreadyExists desc = secret taken already exists"],
])(
  "[A162] a secret with %s is refused, and the error quotes no data",
  async (what, change, status, message) => {
    const control = new TestControl();
    await created(control, "secret", "taken");
    const name = what === "no name" ? {} : { Name: "new" };
    const body = { ...name, Data: base64(secretText), ...change };
    const response = await control.ask("POST /secrets/create", { body });
    expect([response.status, response.json.message]).toEqual([status, expect.stringContaining(message)]);
    expect(response.text).not.toMatch(/opens it|aHVudGVyMi|42424242/);
    expect(control.mesh.registry.dependencies("secret")).toHaveLength(1);
  },
);

test("[A162] the largest secret and config are stored, and a body that is not JSON is not quoted", async () => {
  const control = new TestControl();
  for (const [kind, bytes] of [
    ["secret", 511_999],
    ["config", 1_023_999],
  ] as const) {
    const body = { Name: "large", Data: base64("x".repeat(bytes)) };
    expect((await control.ask(`POST /${kind}s/create`, { body })).status).toBe(201);
    const more = { Name: "more", Data: base64("x".repeat(bytes + 1)) };
    expect((await control.ask(`POST /${kind}s/create`, { body: more })).status).toBe(400);
  }
  for (const text of [secretText, JSON.stringify(secretText)]) {
    const response = await control.ask("POST /secrets/create", { text });
    expect(response.status).toBe(400);
    expect(response.text).not.toContain("opens it");
  }
});

test("[A163] an update replaces the labels, and nothing else, of the version that it names", async () => {
  const control = new TestControl();
  const id = await created(control, "secret", "password");
  const update = (version: number, body: object) =>
    control.ask(`POST /secrets/${id}/update?version=${version}`, { body });
  expect((await update(1, { Name: "password", Labels: { a: "b" } })).status).toBe(200);
  const stale = await update(1, { Name: "password", Labels: {} });
  expect([stale.status, stale.json.message]).toEqual([500, expect.stringContaining("out of sequence")]);
  for (const body of [{ Name: "other" }, { Name: "password", Data: base64("other") }]) {
    const { status, json } = await update(2, body);
    expect([status, json.message]).toEqual([
      400,
      expect.stringContaining("only updates to Labels are allowed"),
    ]);
  }
  expect((await update(2, { Name: "password", Data: base64(secretText) })).status).toBe(200);
  expect((await control.ask(`GET /secrets/${id}`)).json).toMatchObject({ Version: { Index: 3 } });
});

test("[A164] what a service uses is not removed, and the error names the services", async () => {
  const control = new TestControl();
  const id = await created(control, "secret", "password");
  for (const name of ["web", "api"])
    await control.ask("POST /services/create", {
      body: spec(name, { ...publishing(), ...secretRef(id, "password") }),
    });
  const refused = await control.ask("DELETE /secrets/password");
  expect([refused.status, refused.json.message]).toEqual([
    400,
    "rpc error: code = InvalidArgument desc = secret 'password' is in use by the following services: api, web",
  ]);
  await control.ask("DELETE /services/web");
  expect((await control.ask("DELETE /secrets/password")).json.message).toContain("following service: api");
  await control.ask("DELETE /services/api");
  expect(await control.ask("DELETE /secrets/password")).toMatchObject({ status: 204, text: "" });
  expect((await control.ask("DELETE /secrets/password")).status).toBe(404);
});

test("[A165] a service whose references cannot be followed is refused in SwarmKit's words", async () => {
  const control = new TestControl();
  const id = await created(control, "secret", "password");
  const config = await created(control, "config", "conf");
  const message = async (change: Readonly<Record<string, unknown>>) => {
    const { status, json } = await control.ask("POST /services/create", { body: spec("web", change) });
    expect(status).toBe(400);
    return json.message;
  };
  const unknown = "z".repeat(25);
  expect(await message(secretRef(unknown, "nope"))).toContain("desc = secret not found: nope");
  expect(await message(secretRef(id, "renamed"))).toContain("secret not found: renamed");
  expect(await message(secretRef(config, "conf"))).toContain("secret not found: conf");
  expect(await message(secretRef("", "password"))).toContain("malformed secret reference");
  for (const Name of ["", "a/", "../a", "a/../../b", "."])
    expect(await message(secretRef(id, "password", { Name }))).toContain("invalid target file name provided");
  expect(await message(secretRef(id, "password", { Name: "a", UID: "root" }))).toContain("is not a number");
  const File = { Name: "same" };
  const twice = [
    { SecretID: id, SecretName: "password", File },
    { SecretID: id, SecretName: "password", File },
  ];
  expect(await message(running({ Secrets: twice }))).toContain("have a conflicting target: 'same'");
  const asRuntime = [{ ConfigID: config, ConfigName: "conf", Runtime: {} }];
  expect(await message(running({ Configs: asRuntime }))).toContain("credential spec is not supported");
});

test("[A166] a viewer may read, and change nothing; events have the name and no data", async () => {
  const control = new TestControl();
  const body = { Name: "a", Data: base64(secretText) };
  expect((await control.ask("POST /secrets/create", { body, token: viewerToken })).status).toBe(403);
  const id = await created(control, "secret", "a");
  expect((await control.ask(`GET /secrets/${id}`, { token: viewerToken })).status).toBe(200);
  await control.ask("DELETE /secrets/a", { token: operatorToken });
  const events = (await control.ask("GET /mesh/events")).text;
  expect(JSON.parse(events)).toMatchObject([
    ...JSON.parse(events).slice(0, -2),
    { actor: "operator", action: "secret.create", subject: { type: "secret", id, name: "a" } },
    { actor: "operator", action: "secret.remove", subject: { type: "secret", id, name: "a" } },
  ]);
  expect(events).not.toContain(base64(secretText));
});
