import { expect, test } from "vitest";
import { filtered, publishing, running, spec, TestControl } from "./support.ts";

test("[A10] a service reads back as sent, with the values that dockerd always states", async () => {
  const control = new TestControl();
  const sent = spec("my-web", { Mode: { Replicated: {} } });
  const { status, json } = await control.ask("POST /v1.44/services/create", { body: sent });
  expect([status, json]).toEqual([201, { ID: expect.stringMatching(/^[0-9a-z]{25}$/) }]);
  const service = (await control.ask("GET /v1.44/services/my-web?insertDefaults=false")).json;
  expect(service).toEqual({
    ID: json.ID,
    Version: { Index: 1 },
    CreatedAt: "2027-01-15T08:00:00.000Z",
    UpdatedAt: "2027-01-15T08:00:00.000Z",
    Spec: {
      ...sent,
      TaskTemplate: {
        ...sent.TaskTemplate,
        ContainerSpec: { ...sent.TaskTemplate.ContainerSpec, Isolation: "default" },
        Runtime: "container",
      },
      Mode: { Replicated: { Replicas: 1 } },
    },
    Endpoint: {
      Spec: sent.EndpointSpec,
      Ports: sent.EndpointSpec.Ports,
      VirtualIPs: [{ NetworkID: expect.any(String), Addr: "10.255.0.2/16" }],
    },
  });
});

test("[A10] writing a service back as it was read changes neither its version nor its tasks", async () => {
  const control = new TestControl();
  await control.create("my-web", { EndpointSpec: {} });
  const before = control.mesh.tasks().map(({ id, runHash }) => `${id} ${runHash}`);
  expect((await control.update("my-web", (read) => read)).status).toBe(200);
  control.mesh.work();
  expect((await control.ask("GET /services/my-web")).json.Version.Index).toBe(1);
  expect(control.mesh.tasks().map(({ id, runHash }) => `${id} ${runHash}`)).toEqual(before);
});

test("[A82] insertDefaults shows the values that apply where the Spec has none, and stores none of them", async () => {
  const control = new TestControl();
  await control.create("my-web", { UpdateConfig: { Order: "stop-first", Monitor: 7e9 } });
  const shown = (await control.ask("GET /services/my-web?insertDefaults=true")).json.Spec;
  expect(shown).toMatchObject({
    TaskTemplate: {
      ContainerSpec: { StopGracePeriod: 10e9, DNSConfig: {}, Isolation: "default" },
      RestartPolicy: { Condition: "any", MaxAttempts: 0 },
      Placement: {},
      Runtime: "container",
    },
    UpdateConfig: {
      Parallelism: 1,
      FailureAction: "pause",
      Monitor: 7e9,
      MaxFailureRatio: 0,
      Order: "stop-first",
    },
    RollbackConfig: { Parallelism: 1, FailureAction: "pause", Monitor: 5e9, MaxFailureRatio: 0 },
  });
  expect((await control.ask("GET /services/my-web")).json.Spec).not.toHaveProperty("RollbackConfig");
});

test("[A13] an allocated port is in Endpoint.Ports and not in the Spec; port 0 counts as absent", async () => {
  const control = new TestControl();
  await control.create("a", publishing({ TargetPort: 80 }));
  await control.create("b", publishing({ TargetPort: 80, PublishedPort: 0 }));
  const services = (await control.ask("GET /services")).json;
  expect(services.map(({ Endpoint }: Shown) => Endpoint.Ports)).toEqual([
    [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 30_000, PublishMode: "ingress" }],
    [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 30_001, PublishMode: "ingress" }],
  ]);
  for (const { Spec } of services) {
    expect(Spec.EndpointSpec.Ports).toEqual([{ Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" }]);
  }
});

const invalid = "rpc error: code = InvalidArgument desc = ";

test.each([
  [
    publishing({ TargetPort: 80, PublishedPort: 65_536 }),
    400,
    `${invalid}EndpointSpec: published port is 65536: use 1 to 65535, or leave it out to get a free one`,
  ],
  [
    publishing({ TargetPort: 80, PublishedPort: -1 }),
    400,
    `${invalid}EndpointSpec: published port is -1: use 1 to 65535, or leave it out to get a free one`,
  ],
  [publishing({ TargetPort: 65_536 }), 400, `${invalid}EndpointSpec: target port is 65536: use 1 to 65535`],
  [
    { Mode: { Replicated: { Replicas: -1 } } },
    400,
    `${invalid}replicas is -1: use a whole number from 0 to 10000`,
  ],
  [
    { Mode: { Replicated: { Replicas: 1e9 } } },
    400,
    `${invalid}replicas is 1000000000: use a whole number from 0 to 10000`,
  ],
  [{ Name: "bad..name" }, 400, `${invalid}name must be valid as a DNS name component`],
  [{ TaskTemplate: {} }, 400, `${invalid}ContainerSpec: image reference must be provided`],
  [
    { TaskTemplate: { ContainerSpec: { Image: "" } } },
    400,
    `${invalid}ContainerSpec: image reference must be provided`,
  ],
  [
    running({}, { Placement: { Constraints: ["node.color==blue"] } }),
    400,
    `${invalid}key 'node.color' is invalid: use node.id,`,
  ],
  [
    running({}, { Placement: { Constraints: ["node.role"] } }),
    400,
    `${invalid}constraint expected one operator from ==, !=`,
  ],
  [
    { Labels: { "waggle.hots": "a" } },
    400,
    `${invalid}label 'waggle.hots' is unknown: did you mean waggle.host? Known are waggle.host, waggle.path, waggle.at, waggle.default, waggle.probe`,
  ],
  [
    { Name: "taken", ...publishing() },
    409,
    "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service taken already exists",
  ],
  [
    publishing({ TargetPort: 80, PublishedPort: 8080 }),
    400,
    `${invalid}port '8080' is already in use by service 'taken' (ID) as an ingress port`,
  ],
  [publishing({ Protocol: "udp", TargetPort: 80 }), 400, "EndpointSpec: cannot publish 80/udp: "],
  [running({ Env: ["A=".padEnd(70_000, "x")] }), 413, "the service takes "],
] as const)(
  "[A11] a create with %j is refused with %i, and changes nothing",
  async (change, status, message) => {
    const control = new TestControl();
    const id = await control.create("taken");
    const before = control.mesh.registry.events(0, 1_000).length;
    const response = await control.ask("POST /services/create", {
      body: spec("new", { ...publishing(), ...change }),
    });
    expect(response.status).toBe(status);
    expect(response.json.message).toContain(message.replace("ID", id));
    expect(control.mesh.registry.services()).toHaveLength(1);
    expect(control.mesh.registry.events(0, 1_000)).toHaveLength(before);
  },
);

test("[A12] responses to create and update have the warnings; an update without warnings has null", async () => {
  const control = new TestControl();
  const redis = { EndpointSpec: { Ports: [{ TargetPort: 6379 }] } };
  const created = await control.ask("POST /services/create", { body: spec("my-web", redis) });
  expect(created.json.Warnings).toEqual([expect.stringMatching(/^target port 6379 is usually Redis/)]);
  expect((await control.update("my-web", (read) => read)).json.Warnings).toHaveLength(1);
  expect((await control.update("my-web", (read) => ({ ...read, EndpointSpec: {} }))).json).toEqual({
    Warnings: null,
  });
});

test("[K37] a label that names a service which cannot do what it asks for has a warning at create and update", async () => {
  const control = new TestControl();
  const labelled = (labels: Record<string, string>) => ({
    Labels: labels,
    ...publishing({ TargetPort: 80 }),
  });
  const canary = labelled({ "waggle.canary": "next", "waggle.canary.weight": "10%" });
  const created = await control.ask("POST /services/create", { body: spec("my-web", canary) });
  expect([created.status, created.json.Warnings]).toEqual([
    201,
    ["label waggle.canary=next has no effect: this mesh has no service next"],
  ]);
  expect(
    (await control.ask("POST /services/create", { body: spec("next", { EndpointSpec: {} }) })).json.Warnings,
  ).toBeUndefined();
  expect((await control.update("my-web", (read) => read)).json.Warnings).toEqual([
    "label waggle.canary=next has no effect: next is not published",
  ]);
  await control.update("next", (read) => ({ ...read, ...publishing({ TargetPort: 80 }) }));
  expect((await control.update("my-web", (read) => read)).json.Warnings).toBeNull();
  const itself = { ...labelled({ "waggle.canary": "my-web" }) };
  expect((await control.update("my-web", (read) => ({ ...read, ...itself }))).json.Warnings).toEqual([
    "label waggle.canary=my-web has no effect: a service is not its own canary",
  ]);
  const paths = { "waggle.path": "/api", "waggle.at": "api,my-web,shop" };
  const api = await control.ask("POST /services/create", { body: spec("api", labelled(paths)) });
  expect(api.json.Warnings).toEqual(["label waggle.at=shop has no effect: this mesh has no service shop"]);
  const hidden = await control.ask("POST /services/create", {
    body: spec("hidden", { Labels: paths, EndpointSpec: {} }),
  });
  expect(hidden.json.Warnings).toEqual(["label waggle.at has no effect: hidden is not published"]);
});

test.each([undefined, "", null])(
  "[A14] a service created with name %j gets a generated name",
  async (Name) => {
    const control = new TestControl();
    const { status } = await control.ask("POST /services/create", { body: { ...spec("x"), Name } });
    expect(status).toBe(201);
    const [service] = (await control.ask("GET /services")).json;
    expect(service.Spec.Name).toMatch(/^service-[0-9a-z]+$/);
  },
);

test("[A15] an update with a stale version is a 500 in Docker's words and changes nothing", async () => {
  const control = new TestControl();
  await control.create("my-web");
  await control.update("my-web", (read) => ({ ...read, Labels: { a: "1" } }));
  const stale = await control.ask("POST /services/my-web/update?version=1", { body: spec("my-web") });
  expect([stale.status, stale.json.message]).toEqual([
    500,
    "rpc error: code = Unknown desc = update out of sequence",
  ]);
  expect((await control.ask("GET /services/my-web")).json).toMatchObject({
    Version: { Index: 2 },
    Spec: { Labels: { a: "1" } },
  });
});

test.each([
  ["", ""],
  ["?version=", ""],
  ["?version=-1", "-1"],
  ["?version=x", "x"],
  ["?version=1e3", "1e3"],
])("[A15] an update with %j has no valid version: 400", async (query, version) => {
  const control = new TestControl();
  await control.create("my-web");
  const { status, json } = await control.ask(`POST /services/my-web/update${query}`, {
    body: spec("my-web"),
  });
  expect([status, json.message]).toEqual([
    400,
    `invalid service version '${version}': strconv.ParseUint: parsing "${version}": invalid syntax`,
  ]);
});

test("[A15] an update without changes keeps the version, so concurrent updates stay in sequence", async () => {
  const control = new TestControl();
  await control.create("my-web");
  expect((await control.update("my-web", (read) => read)).status).toBe(200);
  expect((await control.ask("GET /services/my-web")).json.Version).toEqual({ Index: 1 });
});

test("[A15] editing the whole Spec can add a published port and scale a service", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const more = { TargetPort: 80, PublishedPort: 8081 };
  await control.update("my-web", (read) => ({
    ...read,
    Mode: { Replicated: { Replicas: 3 } },
    EndpointSpec: { ...read.EndpointSpec, Ports: [...read.EndpointSpec.Ports, more] },
  }));
  control.mesh.work();
  const [service] = (await control.ask("GET /services?status=true")).json;
  expect(service.ServiceStatus).toEqual({ RunningTasks: 3, DesiredTasks: 3, CompletedTasks: 0 });
  expect(service.Endpoint.Ports.map(({ PublishedPort }: Port) => PublishedPort)).toEqual([8080, 8081]);
});

test("[A15] a service cannot be renamed or change its mode", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const renamed = await control.update("my-web", (read) => ({ ...read, Name: "other" }));
  const global = await control.update("my-web", (read) => ({ ...read, Mode: { Global: {} } }));
  expect([renamed.json.message, global.json.message]).toEqual([
    `${invalid}renaming services is not supported`,
    `${invalid}service mode change is not allowed`,
  ]);
});

test("[A16] a rollback swaps the Spec with the previous one, so two rollbacks change nothing", async () => {
  const control = new TestControl();
  await control.create("my-web");
  await control.update("my-web", (read) => ({ ...read, Labels: { a: "1" } }));
  const labels = async () => {
    const { Spec, PreviousSpec } = (await control.ask("GET /services/my-web")).json;
    return [Spec.Labels, PreviousSpec.Labels];
  };
  expect(await labels()).toEqual([{ a: "1" }, {}]);
  expect((await control.update("my-web", (read) => read, "&rollback=previous")).json).toEqual({
    Warnings: null,
  });
  expect(await labels()).toEqual([{}, { a: "1" }]);
  await control.update("my-web", (read) => read, "&rollback=previous");
  expect(await labels()).toEqual([{ a: "1" }, {}]);
});

test("[A16] a rollback without a previous spec is refused, and so is any option but previous", async () => {
  const control = new TestControl();
  const id = await control.create("my-web");
  const none = await control.update("my-web", (read) => read, "&rollback=previous");
  expect([none.status, none.json.message]).toEqual([
    400,
    `rpc error: code = FailedPrecondition desc = service ${id} does not have a previous spec`,
  ]);
  const odd = await control.update("my-web", (read) => read, "&rollback=first");
  expect([odd.status, odd.json.message]).toEqual([400, "invalid rollback option 'first': use previous"]);
});

test("[A17] a service is found by id, name and prefix of its id, in a path as Docker writes it", async () => {
  const control = new TestControl();
  const id = await control.create("my-web");
  for (const ref of [id, "my-web", "my%2Dweb"]) {
    expect((await control.ask(`GET /services/${ref}`)).json.ID).toBe(id);
  }
  for (const line of ["GET /services/nope", "DELETE /services/nope", "GET /services/nope/logs"]) {
    const { status, json } = await control.ask(line);
    expect([status, json]).toEqual([404, { message: "service nope not found" }]);
  }
});

test("[A17] removing a service frees its name and port", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const { status, text } = await control.ask("DELETE /services/my-web");
  expect([status, text]).toEqual([200, ""]);
  expect((await control.ask("GET /services")).json).toEqual([]);
  await control.create("my-web");
});

test("[A18] service filters: id and name by prefix, labels by key or key=value; values are alternatives, all keys must match", async () => {
  const control = new TestControl();
  const id = await control.create("my-web", { ...publishing(), Labels: { tier: "front", empty: "" } });
  await control.create("my-api", { ...publishing(), Labels: { tier: "back" } });
  await control.create("other", { ...publishing(), Mode: { Global: {} } });
  const names = async (filters: Record<string, string[]>) =>
    (await control.ask(`GET ${filtered("/services", filters)}`)).json.map(({ Spec }: Shown) => Spec.Name);
  expect(await names({ name: ["my"] })).toEqual(["my-web", "my-api"]);
  expect(await names({ name: ["web"] })).toEqual([]);
  expect(await names({ id: [id] })).toEqual(["my-web"]);
  expect(await names({ label: ["tier"] })).toEqual(["my-web", "my-api"]);
  expect(await names({ label: ["tier=back", "empty="] })).toEqual(["my-web", "my-api"]);
  expect(await names({ label: ["toString"] })).toEqual([]);
  expect(await names({ mode: ["global"] })).toEqual(["other"]);
  expect(await names({ name: ["my"], label: ["tier=back"] })).toEqual(["my-api"]);
  expect(await names({ name: [] })).toHaveLength(3);
});

test.each([
  ['{"bogus":{"a":true}}', "Invalid filter 'bogus'"],
  ['{"__proto__":{"a":true}}', "Invalid filter '__proto__'"],
  ["nope", "cannot read filters: "],
  ["[]", 'cannot read filters: write them as {"name":{"my-web":true}}'],
  ['{"name":"my-web"}', "cannot read filter 'name': "],
])("[A18] filters %s are refused with 400", async (text, message) => {
  const { status, json } = await new TestControl().ask(`GET /services?filters=${encodeURIComponent(text)}`);
  expect(status).toBe(400);
  expect(json.message).toContain(message);
});

test("[A18] a filter may be a list, and a false flag counts as true", async () => {
  const control = new TestControl();
  await control.create("my-web");
  for (const text of ['{"name":["my-web"]}', '{"name":{"my-web":false}}', "{}"]) {
    expect((await control.ask(`GET /services?filters=${encodeURIComponent(text)}`)).json).toHaveLength(1);
  }
});

test("[A19] task counts are only in responses with status=true", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const counts = async (query: string) => (await control.ask(`GET /services${query}`)).json[0].ServiceStatus;
  expect(await counts("?status=true")).toEqual({ RunningTasks: 2, DesiredTasks: 2, CompletedTasks: 0 });
  expect(await counts("")).toBeUndefined();
  expect(await counts("?status=false")).toBeUndefined();
});

type Shown = { Spec: { Name: string }; Endpoint: { Ports: Port[] } };
type Port = { PublishedPort: number };
