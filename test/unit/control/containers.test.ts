import { expect, test } from "vitest";
import { machine } from "../registry/harness.ts";
import { filtered, running, spec, TestControl } from "./support.ts";

type Listed = { Id: string; Names: string[]; State: string; Status: string; Labels: Record<string, string> };

function fail({ mesh }: TestControl): void {
  const task = mesh.tasks().find(({ state }) => state === "running");
  if (task === undefined) throw new Error("no task runs");
  mesh.report(task, { state: "failed", err: "task: non-zero exit (3)", exitCode: 3, pid: null });
  mesh.work();
}

async function list(control: TestControl, filters: Record<string, string[]> = {}, query = "") {
  const { json, status } = await control.ask(`GET ${filtered("/v1.44/containers/json", filters)}${query}`);
  expect(status, JSON.stringify(json)).toBe(200);
  return json as Listed[];
}

test("[A77] the containers of a mesh are its running tasks, with Swarm's labels and names", async () => {
  const control = new TestControl(2);
  const id = await control.create("my-web", running({ Labels: { tier: "front" }, Args: ["--fast"] }));
  const tasks = (await control.ask("GET /tasks")).json;
  const containers = await list(control);
  expect(containers).toHaveLength(2);
  const task = tasks.find(({ Slot }: { Slot: number }) => Slot === 1);
  const container = containers.find(({ Names }) => Names[0]?.startsWith("/my-web.1."));
  expect(container).toMatchObject({
    Id: expect.stringMatching(/^[0-9a-f]{64}$/),
    Names: [`/my-web.1.${task.ID}`],
    Image: "waggle/whoami:latest",
    Command: "--fast",
    State: "running",
    Status: expect.stringMatching(/^Up .* \(healthy\)$/),
    Ports: [{ PrivatePort: 80, Type: "tcp" }],
    Labels: {
      tier: "front",
      "com.docker.swarm.node.id": task.NodeID,
      "com.docker.swarm.service.id": id,
      "com.docker.swarm.service.name": "my-web",
      "com.docker.swarm.task": "",
      "com.docker.swarm.task.id": task.ID,
      "com.docker.swarm.task.name": `my-web.1.${task.ID}`,
    },
  });
  expect(task.Status.ContainerStatus.ContainerID).toBe(container?.Id);
});

test("[A77] a container is inspected by id, prefix and name, and never by the id of its task", async () => {
  const control = new TestControl(1);
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
  const [{ Id, Names }] = (await list(control)) as [Listed];
  const inspected = (await control.ask(`GET /containers/${Id}/json`)).json;
  expect(inspected).toMatchObject({
    Id,
    Name: Names[0],
    State: { Status: "running", Running: true, Pid: 4242, Health: { Status: "healthy" } },
    Config: { Image: "waggle/whoami:latest" },
    NetworkSettings: { Ports: { "80/tcp": null } },
  });
  for (const ref of [Id.slice(0, 12), Names[0]?.slice(1)])
    expect((await control.ask(`GET /containers/${ref}/json`)).json.Id).toBe(Id);
  const taskId = (await control.ask("GET /tasks")).json[0].ID;
  for (const ref of [taskId, "my-web", "my-web.1"]) {
    const { status, json } = await control.ask(`GET /containers/${ref}/json`);
    expect([status, json.message]).toEqual([404, `No such container: ${ref}`]);
  }
});

test("[A77] filters of containers are Docker's, and a wrong value is refused in its words", async () => {
  const control = new TestControl(2);
  await control.create("my-web", { Labels: {} });
  await control.create("api", { EndpointSpec: {}, ...running({ Image: "team/api:2" }) });
  const names = async (filters: Record<string, string[]>, query = "") =>
    (await list(control, filters, query))
      .map(({ Names }) => Names[0]?.split(".").slice(0, 2).join("."))
      .sort();
  expect(await names({ name: ["my-web"] })).toEqual(["/my-web.1", "/my-web.2"]);
  expect(await names({ name: ["^/?my-web\\.1"] })).toEqual(["/my-web.1"]);
  expect(await names({ label: ["com.docker.swarm.service.name=api"] })).toEqual(["/api.1", "/api.2"]);
  expect(await names({ ancestor: ["team/api"] })).toEqual(["/api.1", "/api.2"]);
  expect(await names({ expose: ["80/tcp"] })).toEqual(["/my-web.1", "/my-web.2"]);
  expect(await names({ health: ["unhealthy"] })).toEqual([]);
  expect(await names({ status: ["exited"] })).toEqual([]);
  expect(await names({ "is-task": ["false"] })).toEqual([]);
  expect(await names({}, "&limit=1")).toHaveLength(1);
  for (const [filters, message] of [
    [{ bogus: ["a"] }, "Invalid filter 'bogus'"],
    [{ status: ["bogus"] }, "invalid filter 'status=bogus'"],
    [{ health: ["well"] }, "invalid filter 'health=well'"],
    [{ exited: ["x"] }, "invalid filter 'exited=x'"],
    [{ name: ["("] }, "invalid filter 'name=('"],
  ] as const) {
    const { status, json } = await control.ask(`GET ${filtered("/containers/json", filters)}`);
    expect([status, json.message]).toEqual([400, message]);
  }
});

test("[A77] an ended task is a container that exited, listed with all=true", async () => {
  const control = new TestControl(1);
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } }, EndpointSpec: {} });
  fail(control);
  expect(await list(control, { status: ["running"] })).toHaveLength(1);
  const [ended] = await list(control, { status: ["exited"] });
  expect(ended).toMatchObject({ State: "exited", Status: expect.stringMatching(/^Exited \(\d+\) .* ago$/) });
  expect((await list(control, {}, "&all=1")).map(({ State }) => State)).toEqual(["running", "exited"]);
});

test("[A78] images, volumes and plugins are empty lists, and 404 by name in Docker's words", async () => {
  const control = new TestControl(1);
  const get = async (line: string) => {
    const { status, json } = await control.ask(line);
    return [status, json];
  };
  expect(await get("GET /images/json")).toEqual([200, []]);
  expect(await get("GET /volumes")).toEqual([200, { Volumes: [], Warnings: null }]);
  expect(await get("GET /plugins")).toEqual([200, []]);
  expect(await get("GET /system/df")).toEqual([
    200,
    { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache: [] },
  ]);
  for (const [line, message] of [
    ["GET /images/my-web/json", "No such image: my-web:latest"],
    ["GET /images/registry.example:5000/a/b:1/json", "No such image: registry.example:5000/a/b:1"],
    ["DELETE /images/a/b", "No such image: a/b:latest"],
    ["GET /volumes/data", "get data: no such volume"],
    ["DELETE /volumes/data", "get data: no such volume"],
    ["GET /plugins/x/json", 'plugin "x" not found'],
    ["GET /containers/x/logs", "No such container: x"],
    ["POST /containers/x/stop", "No such container: x"],
  ] as const) {
    const { status, json } = await control.ask(line);
    expect([line, status, json.message]).toEqual([line, 404, message]);
  }
  for (const kind of ["containers", "images", "volumes"])
    expect((await control.ask(`POST /${kind}/prune`)).json).toMatchObject({ SpaceReclaimed: 0 });
});

test.each([
  ["POST /v1.44/containers/create?name=x", "use docker service create"],
  ["POST /images/create?fromImage=nginx", "has no images"],
  ["POST /volumes/create", "has no volumes"],
  ["POST /exec/x/start", "runs no commands in tasks"],
  ["POST /build", "builds no images"],
])("[A25] %s, which needs an engine, is 501 and says what to use instead", async (line, message) => {
  const { status, json } = await new TestControl().ask(line);
  expect([status, json.message]).toEqual([501, expect.stringContaining(message)]);
  expect(json.message).toMatch(/^this endpoint is a swarm of services and /);
});

test.each([
  ["stats?stream=false", "stats"],
  ["top", "top"],
  ["changes", "diff"],
  ["export", "export"],
  ["archive?path=/etc", "cp"],
])("[D163] what only a container's node sees is 501 and says where to look: %s", async (path, command) => {
  for (const runtime of ["docker", "process"] as const) {
    const control = new TestControl(0);
    const { id } = control.mesh.join("one", "127.0.0.2");
    control.mesh.sockets.set(id, control.mesh.nowMs);
    const node = { ...machine("one", "127.0.0.2"), runtime } as const;
    control.mesh.send(id, { type: "hello", node, tasks: [] });
    await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
    const [{ Id, Names }] = (await list(control)) as [Listed];
    const name = Names[0]?.slice(1);
    const { status, json } = await control.ask(`GET /v1.44/containers/${Id}/${path}`);
    const there =
      runtime === "docker"
        ? `run docker ${command} ${name} on one`
        : `${name} is a process on one, with pid 4242`;
    expect([status, json.message]).toEqual([
      501,
      `the mesh does not look into containers: ${there}; waggle top shows its requests`,
    ]);
  }
});

test("[A79] a task that ended is not desired any more, and is not listed as desired to run", async () => {
  const control = new TestControl(1);
  const restart = running({}, { RestartPolicy: { Condition: "none" } });
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } }, EndpointSpec: {}, ...restart });
  fail(control);
  expect((await control.ask("GET /tasks")).json).toMatchObject([
    { DesiredState: "shutdown", Status: { State: "failed" } },
  ]);
  const ids = async (state: string) =>
    (await control.ask(`GET ${filtered("/tasks", { "desired-state": [state] })}`)).json.length;
  expect([await ids("running"), await ids("shutdown"), await ids("Accepted")]).toEqual([0, 1, 0]);
});

test("[A80] a global service counts its tasks that have no node yet, each named by the node it is for", async () => {
  const control = new TestControl(3);
  await control.ask("POST /services/create", {
    body: spec("glo", {
      Mode: { Global: {} },
      EndpointSpec: {},
      ...running({}, { Resources: { Reservations: { NanoCPUs: 64e9 } } }),
    }),
  });
  const [service] = (await control.ask("GET /services?status=true")).json;
  expect(service.ServiceStatus).toEqual({ RunningTasks: 0, DesiredTasks: 3, CompletedTasks: 0 });
  const nodes = control.mesh.registry.nodes().map(({ id }) => id);
  const tasks = (await control.ask("GET /tasks")).json;
  expect(tasks.map(({ NodeID }: { NodeID: string }) => NodeID).sort()).toEqual([...nodes].sort());
  const onFirst = (await control.ask(`GET ${filtered("/tasks", { node: [nodes[0] ?? ""] })}`)).json;
  expect(onFirst).toHaveLength(1);
});

test("[A81] a filter with an unknown role, membership or desired state is refused in Docker's words", async () => {
  const control = new TestControl(1);
  for (const [path, key, message] of [
    ["/nodes", "role", "Invalid role filter: 'bogus'"],
    ["/nodes", "membership", "Invalid membership filter: 'bogus'"],
    ["/tasks", "desired-state", "Invalid desired-state filter: 'bogus'"],
  ] as const) {
    const { status, json } = await control.ask(`GET ${filtered(path, { [key]: ["bogus"] })}`);
    expect([status, json.message]).toEqual([400, message]);
  }
  expect((await control.ask(`GET ${filtered("/nodes", { role: ["Worker"] })}`)).json).toHaveLength(1);
});
