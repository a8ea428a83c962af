import { expect, test, vi } from "vitest";
import { statusScreen } from "../../../src/cli/status-view.ts";
import { machine } from "../registry/harness.ts";
import { spec, TestControl } from "./support.ts";

const stack = { Labels: { "com.docker.stack.namespace": "shop" } };
const redis = { EndpointSpec: { Ports: [{ TargetPort: 6379 }] } };

test("[A89] warnings that docker stack deploy drops are the error of running tasks, and problems of the status", async () => {
  const control = new TestControl(1);
  await control.create("shop_web", { ...stack, ...redis });
  const tasks = (await control.ask("GET /tasks")).json;
  expect(
    tasks.map(({ Status }: { Status: { State: string; Err: string } }) => [Status.State, Status.Err]),
  ).toEqual([
    ["running", expect.stringMatching(/^warning: target port 6379 is usually Redis/)],
    ["running", expect.stringMatching(/^warning: target port 6379 is usually Redis/)],
  ]);
  expect((await control.ask(`GET /tasks/${tasks[0].ID}`)).json.Status.Err).toBe(tasks[0].Status.Err);
  expect((await control.ask("GET /mesh/status")).json.problems).toEqual([
    expect.objectContaining({
      what: "service shop_web",
      why: expect.stringContaining("target port 6379 is usually Redis"),
    }),
  ]);
});

test("[A89] a service of no stack, whose create printed its warnings, has none of them later", async () => {
  const control = new TestControl(1);
  await control.create("web", { ...redis });
  expect((await control.ask("GET /tasks")).json[0].Status).not.toHaveProperty("Err");
  expect((await control.ask("GET /mesh/status")).json.problems).toEqual([]);
});

test("[A89] the own error of a task counts before a warning", async () => {
  const control = new TestControl(1);
  await control.create("shop_web", {
    ...stack,
    ...redis,
    Mode: { Replicated: { Replicas: 1 } },
  });
  const task = control.mesh.tasks()[0];
  if (task === undefined) throw new Error("no task");
  control.mesh.report(task, { state: "failed", err: "task: non-zero exit (3)", exitCode: 3, pid: null });
  const errors = (await control.ask("GET /tasks")).json.map(
    ({ Status }: { Status: { Err?: string } }) => Status.Err,
  );
  expect(errors).toContain("task: non-zero exit (3)");
});

test("[D160] the response about a task, or a created service, reads only the services that its labels name", async () => {
  const control = new TestControl(1);
  for (let number = 1; number <= 3; number += 1) await control.create(`other${number}`, { EndpointSpec: {} });
  const { registry } = control.mesh;
  const [all, one] = [vi.spyOn(registry, "services"), vi.spyOn(registry, "service")];
  const id = await control.create("shop_web", {
    Labels: { ...stack.Labels, "waggle.canary": "missing", "waggle.canary.weight": "10%" },
  });
  const [task] = control.mesh.running("shop_web");
  one.mockClear();
  const { Status } = (await control.ask(`GET /tasks/${task?.id}`)).json;
  expect(Status.Err).toBe(
    "warning: label waggle.canary=missing has no effect: this mesh has no service missing",
  );
  expect(one.mock.calls).toEqual([[id], ["missing"]]);
  expect(all.mock.calls).toEqual([]);
});

test("[D160] a label that names the beginning of another service's id names no service", async () => {
  const control = new TestControl(1);
  const other = await control.create("other");
  const { json } = await control.ask("POST /services/create", {
    body: spec("web", {
      Labels: { "waggle.canary": other.slice(0, 8), "waggle.canary.weight": "10%" },
      EndpointSpec: { Ports: [{ TargetPort: 80 }] },
    }),
  });
  expect(json.Warnings).toEqual([
    `label waggle.canary=${other.slice(0, 8)} has no effect: this mesh has no service ${other.slice(0, 8)}`,
  ]);
});

test("[A444] a service on a network has a warning while the mesh has nodes whose tasks cannot resolve names", async () => {
  const control = new TestControl(1);
  await control.ask("POST /networks/create", { body: { Name: "net" } });
  const body = (Name: string) => ({
    Name,
    TaskTemplate: { ContainerSpec: { Image: "redis" }, Networks: [{ Target: "net" }] },
  });
  const warnings = async (name: string) =>
    (await control.ask("POST /services/create", { body: body(name) })).json.Warnings ?? [];
  expect(await warnings("a")).toEqual([
    "Networks: tasks on node node1 without Docker are processes, which cannot resolve names of services; reach others from there by published ports",
  ]);
  control.mesh.node("node2");
  expect(await warnings("b")).toEqual([expect.stringContaining("tasks on 2 nodes without Docker")]);
  const [node1, node2] = [...control.mesh.nodes.values()];
  for (const node of [node1, node2]) {
    if (node === undefined) throw new Error("no node");
    const description = { ...machine(node.name, node.address), runtime: "docker" as const };
    control.mesh.send(node.id, { type: "hello", node: description, tasks: [] });
  }
  expect(await warnings("c")).toEqual([]);
});

test("[G95] what a stack asks for and only another mesh could do is a note, once for all its services, and no problem", async () => {
  const control = new TestControl(1);
  await control.ask("POST /networks/create", { body: { Name: "net" } });
  const networks = { ContainerSpec: { Image: "waggle/whoami" }, Networks: [{ Target: "net" }] };
  for (const name of ["shop_web", "shop_api"]) {
    await control.create(name, { ...stack, TaskTemplate: networks, EndpointSpec: {} });
  }
  control.mesh.work();
  const { json: status } = await control.ask("GET /mesh/status");
  expect(status.problems).toEqual([]);
  expect(status.notes).toEqual([
    {
      services: ["shop_api", "shop_web"],
      why: expect.stringMatching(/^Networks: tasks on node node1 without Docker/),
    },
  ]);
  const screen = statusScreen(status, "http://mesh");
  expect(screen).toMatch(
    /No problems\.\n\nNotes, which are no problems:\n {2}services shop_api, shop_web: Networks: /,
  );
  expect(screen).not.toMatch(/\d problems?:/);
});

test("[G95] a warning of a stack that a label answers stays a problem", async () => {
  const control = new TestControl(1);
  await control.create("shop_web", { ...stack, ...redis });
  control.mesh.work();
  const { json: status } = await control.ask("GET /mesh/status");
  expect(status.notes).toEqual([]);
  expect(status.problems).toMatchObject([
    { why: expect.stringMatching(/usually Redis/), next: expect.stringContaining("deploy.labels") },
  ]);
});
