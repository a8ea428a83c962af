import { expect, test } from "vitest";
import { filtered, running, spec, TestControl } from "./support.ts";

test("[A21] a node shows its agent's report and the operator's settings", async () => {
  const control = new TestControl(1);
  const node = (await control.ask("GET /nodes/node1")).json;
  const shown = {
    ID: expect.stringMatching(/^[0-9a-z]{25}$/),
    Version: { Index: 1 },
    CreatedAt: "2027-01-15T08:00:00.000Z",
    UpdatedAt: "2027-01-15T08:00:00.000Z",
    Spec: { Labels: {}, Role: "worker", Availability: "active" },
    Description: {
      Hostname: "node1",
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 4e9, MemoryBytes: 8e9 },
      Engine: { EngineVersion: "0.1.0", Plugins: [] },
      TLSInfo: {},
    },
    Status: { State: "ready", Addr: "127.0.0.2" },
  };
  expect(node).toEqual(shown);
  expect((await control.ask("GET /nodes")).json.slice(1)).toEqual([node]);
  const Gateway = { Transport: "direct", URL: "http://127.0.0.2:7946", Reason: "" };
  expect((await control.ask("GET /nodes/node1?gateway=true")).json).toEqual({ ...shown, Gateway });
  expect((await control.ask("GET /nodes?gateway=true")).json.slice(1)).toEqual([{ ...shown, Gateway }]);
});

test("[A21] a node is drained by writing its whole Spec back", async () => {
  const control = new TestControl();
  const { ID, Version, Spec } = (await control.ask("GET /nodes/node1")).json;
  const body = { ...Spec, Availability: "drain", Labels: { zone: "a" } };
  const update = `POST /nodes/${ID}/update?version=${Version.Index}`;
  expect(await control.ask(update, { body })).toMatchObject({ status: 200, text: "" });
  expect((await control.ask("GET /nodes/node1")).json).toMatchObject({ Version: { Index: 2 }, Spec: body });
  const stale = await control.ask(update, { body });
  expect([stale.status, stale.json.message]).toEqual([
    500,
    "rpc error: code = Unknown desc = update out of sequence",
  ]);
});

test("[A21] a refused update says why and leaves the node as it is", async () => {
  const control = new TestControl();
  const before = (await control.ask("GET /nodes/node1")).json;
  const ask = async (line: string, body: object) => {
    const { status, json } = await control.ask(line, { body });
    return `${status} ${json.message}`;
  };
  const drain = { Role: "worker", Availability: "drain" };
  expect(await ask("POST /nodes/node1/update?version=1", { ...drain, Availability: "bogus" })).toBe(
    '400 invalid Availability: "bogus"',
  );
  expect(await ask("POST /nodes/node1/update", drain)).toBe(
    `400 invalid node version '': strconv.ParseUint: parsing "": invalid syntax`,
  );
  expect(await ask("POST /nodes/nope/update?version=1", drain)).toBe("404 node nope not found");
  expect((await control.ask("GET /nodes/node1")).json).toEqual(before);
});

test("[A22] a node that is not down is removed only by force", async () => {
  const control = new TestControl();
  const { ID } = (await control.ask("GET /nodes/node1")).json;
  const refused = await control.ask("DELETE /nodes/node1");
  expect([refused.status, refused.json.message]).toEqual([
    400,
    `rpc error: code = FailedPrecondition desc = node ${ID} is not down and can't be removed`,
  ]);
  expect(await control.ask("DELETE /nodes/node1?force=1")).toMatchObject({ status: 200, text: "" });
  expect((await control.ask(`GET ${filtered("/nodes", { role: ["worker"] })}`)).json).toHaveLength(1);
  expect((await control.ask("DELETE /nodes/node1?force=1")).status).toBe(404);
});

test("[A18] node filters: id and name by prefix, role, membership, labels of the node", async () => {
  const control = new TestControl(2);
  const { ID } = (await control.ask("GET /nodes/node2")).json;
  const body = { Role: "worker", Availability: "active", Labels: { zone: "a" } };
  await control.ask("POST /nodes/node2/update?version=1", { body });
  const names = async (filters: Record<string, string[]>) =>
    (await control.ask(`GET ${filtered("/nodes", filters)}`)).json.map(
      ({ Description }: { Description: { Hostname: string } }) => Description.Hostname,
    );
  expect(await names({ name: ["node"] })).toEqual(["node1", "node2"]);
  expect(await names({ id: [ID] })).toEqual(["node2"]);
  expect(await names({ role: ["worker"] })).toEqual(["node1", "node2"]);
  expect(await names({ role: ["manager"] })).toEqual(["test"]);
  expect(await names({ "node.label": ["zone=a"] })).toEqual(["node2"]);
  expect(await names({ label: ["zone=a"] })).toEqual([]);
  expect(await names({ membership: ["accepted"] })).toHaveLength(3);
  expect(await names({ membership: ["pending"] })).toEqual([]);
});

test("[A60] a node is promoted and demoted; as a manager it meets the constraint node.role==manager", async () => {
  const control = new TestControl(2);
  await control.create("pinned", {
    ...running({}, { Placement: { Constraints: ["node.role == manager"] } }),
    EndpointSpec: {},
    Mode: { Replicated: { Replicas: 1 } },
  });
  const [waiting] = (await control.ask("GET /tasks")).json;
  expect(waiting.Status.Err).toContain("scheduling constraints not satisfied on 2 nodes");
  const body = { Role: "manager", Availability: "active" };
  expect((await control.ask("POST /nodes/node2/update?version=1", { body })).status).toBe(200);
  control.mesh.work();
  const node = (await control.ask("GET /nodes/node2")).json;
  expect([node.Spec.Role, node.ManagerStatus]).toEqual([
    "manager",
    { Reachability: "reachable", Addr: "127.0.0.3" },
  ]);
  const [task] = (await control.ask("GET /tasks")).json;
  expect([task.NodeID, task.Status.State]).toEqual([node.ID, "running"]);
  expect((await control.ask("GET /info")).json.Swarm).toMatchObject({ Managers: 2, Nodes: 3 });
  const worker = { Role: "worker", Availability: "active" };
  await control.ask("POST /nodes/node2/update?version=2", { body: worker });
  expect((await control.ask("GET /nodes/node2")).json).not.toHaveProperty("ManagerStatus");
});

test("[A88] the leader is the mesh itself: it is listed, filtered and found by name, and cannot be changed or removed", async () => {
  const control = new TestControl(2);
  const { Swarm } = (await control.ask("GET /info")).json;
  const [leader, ...nodes] = (await control.ask("GET /nodes")).json;
  expect(leader).toMatchObject({
    ID: Swarm.NodeID,
    Spec: { Role: "manager", Availability: "drain" },
    Description: { Hostname: "test" },
    ManagerStatus: { Leader: true, Reachability: "reachable" },
  });
  expect(nodes).toHaveLength(2);
  expect((await control.ask(`GET ${filtered("/nodes", { role: ["manager"] })}`)).json).toEqual([leader]);
  expect((await control.ask("GET /nodes/test")).json).toEqual(leader);
  const body = { Role: "worker", Availability: "active" };
  for (const line of [`POST /nodes/${leader.ID}/update?version=1`, "DELETE /nodes/test?force=1"]) {
    const { status, json } = await control.ask(line, { body });
    expect([status, json.message]).toEqual([
      400,
      expect.stringContaining("is the mesh itself and no machine"),
    ]);
  }
});

test("[A23] the manager is the mesh: its id in /info resolves, with the request's address, and it has no tasks", async () => {
  const control = new TestControl();
  const { Swarm } = (await control.ask("GET /info")).json;
  expect(Swarm).toMatchObject({ LocalNodeState: "active", ControlAvailable: true, Nodes: 3, Managers: 1 });
  const headers = { host: "mesh.example.com:8443" };
  const { status, json } = await control.ask(`GET /nodes/${Swarm.NodeID}`, { headers });
  expect(status).toBe(200);
  expect(json).toMatchObject({
    ID: Swarm.NodeID,
    Spec: { Role: "manager", Availability: "drain" },
    ManagerStatus: { Leader: true, Reachability: "reachable", Addr: "mesh.example.com:8443" },
  });
  await control.create("my-web");
  expect((await control.ask(`GET ${filtered("/tasks", { node: [Swarm.NodeID] })}`)).json).toEqual([]);
});

test("[A23] info counts the nodes and the mesh, which is their leader", async () => {
  const control = new TestControl(3);
  await control.create("my-web");
  const { json } = await control.ask("GET /info");
  expect(json).toMatchObject({ Name: "test", NCPU: 12, MemTotal: 24e9, ContainersRunning: 2 });
  const containers = (await control.ask("GET /containers/json?all=1")).json;
  expect([json.Containers, json.ContainersRunning + json.ContainersStopped]).toEqual(
    Array(2).fill(containers.length),
  );
  expect(json.Swarm).toMatchObject({ Nodes: 4, Managers: 1, Cluster: { ID: json.ID } });
});

test("[A24] the join tokens are the Swarm's, and rotate one by one", async () => {
  const control = new TestControl();
  const tokens = async () => (await control.ask("GET /swarm")).json.JoinTokens;
  const before = await tokens();
  expect(before.Worker).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
  const rotate = (what: string) => control.ask(`POST /swarm/update?version=1&${what}=true`, { body: {} });
  expect(await rotate("rotateWorkerToken")).toMatchObject({ status: 200, text: "" });
  const after = await tokens();
  expect(after.Worker).not.toBe(before.Worker);
  expect(after.Manager).toBe(before.Manager);
  await rotate("rotateManagerToken");
  expect((await tokens()).Manager).not.toBe(before.Manager);
});

test.each([
  ["POST /swarm/init", 503, 'This node is already part of a swarm. Use "docker swarm leave"'],
  ["POST /swarm/join", 503, "run there: waggle agent --join TOKEN http://mesh.test:8787"],
  ["POST /swarm/leave?force=1", 503, "This is the manager of the mesh and cannot leave it."],
  ["POST /swarm/update?version=1", 400, "only the join tokens of a mesh can be updated"],
  ["POST /swarm/update?rotateWorkerToken=true", 400, "invalid swarm version ''"],
])("[A24] %s gets a %i that says what would work", async (line, status, message) => {
  const response = await new TestControl().ask(line, { body: {} });
  expect(response.status).toBe(status);
  expect(response.json.message).toContain(message);
});

test("[A25] an image's digest is always empty, with or without slashes in its name", async () => {
  const control = new TestControl();
  for (const image of ["nginx:latest", "registry.example:5000/team/app:1.2"]) {
    const { status, json } = await control.ask(`GET /distribution/${image}/json`);
    expect([status, json]).toEqual([
      200,
      { Descriptor: { mediaType: "", digest: "", size: 0 }, Platforms: [] },
    ]);
  }
});

test("[A26] tasks show state, slot and node as Docker does; a global one has no slot", async () => {
  const control = new TestControl(1);
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
  const [task] = (await control.ask("GET /tasks")).json;
  expect(task).toEqual({
    ID: expect.any(String),
    Version: { Index: expect.any(Number) },
    CreatedAt: "2027-01-15T08:00:00.000Z",
    UpdatedAt: "2027-01-15T08:00:00.000Z",
    Labels: {},
    Spec: spec("my-web").TaskTemplate,
    ServiceID: (await control.ask("GET /services/my-web")).json.ID,
    Slot: 1,
    NodeID: (await control.ask("GET /nodes/node1")).json.ID,
    Status: {
      Timestamp: "2027-01-15T08:00:00.000Z",
      State: "running",
      Message: "running",
      ContainerStatus: { ContainerID: expect.stringMatching(/^[0-9a-f]{64}$/), PID: 4242, ExitCode: 0 },
      PortStatus: {},
    },
    DesiredState: "running",
    NetworksAttachments: [
      { Network: expect.objectContaining({ ID: expect.any(String) }), Addresses: ["10.255.0.3/16"] },
    ],
  });
  expect((await control.ask(`GET /tasks/${task.ID}`)).json).toEqual(task);
  await control.create("agent", { Mode: { Global: {} }, EndpointSpec: {} });
  const [global] = (await control.ask(`GET ${filtered("/tasks", { service: ["agent"] })}`)).json;
  expect(global).not.toHaveProperty("Slot");
});

test("[A26] a task that cannot be placed says why, and has no node", async () => {
  const control = new TestControl(0);
  await control.create("my-web");
  const [task] = (await control.ask("GET /tasks")).json;
  expect(task.Status).toMatchObject({ State: "pending", Err: expect.stringContaining("no suitable node") });
  expect(task).not.toHaveProperty("NodeID");
});

test("[A26] a running task has its own host-mode port: the requested one, or that of its endpoint", async () => {
  const control = new TestControl(1);
  const ports = [
    { TargetPort: 80, PublishedPort: 9000, PublishMode: "host" },
    { TargetPort: 81, PublishMode: "host" },
  ];
  await control.create("my-web", { Mode: { Global: {} }, EndpointSpec: { Ports: ports } });
  const [task] = (await control.ask("GET /tasks")).json;
  expect(task.Status.PortStatus.Ports).toEqual([
    { Protocol: "tcp", TargetPort: 80, PublishedPort: 9000, PublishMode: "host" },
    { Protocol: "tcp", TargetPort: 81, PublishedPort: 40_081, PublishMode: "host" },
  ]);
  const [running] = control.mesh.tasks();
  if (running === undefined) throw new Error("no task");
  control.mesh.report(running, { state: "failed", err: "task: non-zero exit (137)", exitCode: 137 });
  const failed = (await control.ask(`GET /tasks/${task.ID}`)).json;
  expect(failed).toMatchObject({
    Status: {
      State: "failed",
      Err: "task: non-zero exit (137)",
      ContainerStatus: { ContainerID: expect.any(String), ExitCode: 137 },
      PortStatus: {},
    },
  });
});

test("[A27] task filters: service, node, desired state, name, label; an unknown reference is 404", async () => {
  const control = new TestControl(2);
  await control.create("my-web", { Labels: { tier: "front" } });
  await control.create("api", { EndpointSpec: {} });
  await control.ask("DELETE /services/api");
  const slots = async (filters: Record<string, string[]>) => {
    const { json } = await control.ask(`GET ${filtered("/tasks", filters)}`);
    return json.map(
      ({ Slot, DesiredState }: { Slot: number; DesiredState: string }) => `${Slot} ${DesiredState}`,
    );
  };
  expect(await slots({ service: ["my-web"] })).toEqual(["1 running", "2 running"]);
  expect(await slots({ service: ["my-web"], node: ["node1"] })).toHaveLength(1);
  expect(await slots({ name: ["my-web.2"] })).toEqual(["2 running"]);
  expect(await slots({ label: ["tier=front"] })).toHaveLength(2);
  expect(await slots({ "desired-state": ["running"] })).toHaveLength(2);
  expect(await slots({ "desired-state": ["shutdown"] })).toEqual([]);
  const statusOf = async (filters: Record<string, string[]>) => {
    const { status, json } = await control.ask(`GET ${filtered("/tasks", filters)}`);
    return `${status} ${json.message}`;
  };
  expect(await statusOf({ service: ["nope"] })).toBe("404 service nope not found");
  expect(await statusOf({ node: ["nope"] })).toBe("404 node nope not found");
  expect(await statusOf({ "desired-state": ["bogus"] })).toBe("400 Invalid desired-state filter: 'bogus'");
  expect((await control.ask("GET /tasks/nope")).json.message).toBe("task nope not found");
});

test("[A27] only tasks with the service's current spec are up to date", async () => {
  const control = new TestControl(2);
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
  const images = async (value: string) => {
    const { json } = await control.ask(
      `GET ${filtered("/tasks", { service: ["my-web"], "_up-to-date": [value] })}`,
    );
    return json.map((task: Task) => task.Spec.ContainerSpec.Image);
  };
  await control.update("my-web", (read) => ({ ...read, Labels: { a: "1" } }));
  expect([await images("true"), await images("false")]).toEqual([["waggle/whoami:latest"], []]);
  const next = { TaskTemplate: { ContainerSpec: { Image: "waggle/whoami:2" } } };
  await control.update("my-web", (read) => ({ ...read, ...next }));
  expect([await images("true"), await images("false")]).toEqual([
    ["waggle/whoami:2"],
    ["waggle/whoami:latest"],
  ]);
});

type Task = { Spec: { ContainerSpec: { Image: string } } };

test("[A83] info, version, nodes and swarm have the fields that Docker's clients read", async () => {
  const control = new TestControl(1);
  const info = (await control.ask("GET /info")).json;
  for (const field of [
    ...["OSType", "OSVersion", "Architecture", "KernelVersion", "OperatingSystem", "Plugins", "Labels"],
    ...["DefaultRuntime", "Runtimes", "CgroupDriver", "LoggingDriver", "SecurityOptions", "MemoryLimit"],
    ...["IndexServerAddress", "RegistryConfig", "SwapLimit", "PidsLimit", "DriverStatus", "Warnings"],
  ])
    expect(info, field).toHaveProperty(field);
  expect([info.OSType, info.Architecture]).toEqual(["linux", "x86_64"]);
  const { Swarm } = info;
  for (const field of ["TLSInfo", "DataPathPort", "DefaultAddrPool", "SubnetSize", "RootRotationInProgress"])
    expect(Swarm.Cluster, field).toHaveProperty(field);
  for (const field of ["Raft", "CAConfig", "EncryptionConfig", "Dispatcher", "Orchestration"])
    expect(Swarm.Cluster.Spec, field).toHaveProperty(field);
  expect((await control.ask("GET /version")).json).toMatchObject({ Os: "linux", Arch: "amd64" });
  for (const { Description } of [
    (await control.ask("GET /nodes/node1")).json,
    (await control.ask(`GET /nodes/${Swarm.NodeID}`)).json,
  ]) {
    expect(Description.Engine).toEqual({ EngineVersion: expect.any(String), Plugins: [] });
    expect(Description.TLSInfo).toEqual({});
  }
});

test.each([
  ["GET /swarm/unlockkey", 200, '{"UnlockKey":""}'],
  ["POST /swarm/unlock", 409, "swarm is not locked"],
  ["POST /auth", 501, "a mesh logs in to no image registry"],
])(
  "[A83] %s is %i with what a Swarm that is not locked, or a mesh without a registry, has to say",
  async (line, status, text) => {
    const response = await new TestControl(1).ask(line, { body: {} });
    expect(response.status).toBe(status);
    expect(response.text).toContain(text);
  },
);
