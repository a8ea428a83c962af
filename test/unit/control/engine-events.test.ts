import { expect, test } from "vitest";
import type { MeshEvent } from "../../../src/domain/model/event.ts";
import { filtered, spec, TestControl } from "./support.ts";

type Shown = {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: string;
  time: number;
  timeNano: number;
  status?: string;
};

/** The events from `since` until now, which ends the response. */
async function replay(control: TestControl, filters: Record<string, string[]> = {}): Promise<Shown[]> {
  const until = control.mesh.nowMs / 1_000;
  const { text, status } = await control.ask(`GET ${filtered("/events", filters)}&since=0&until=${until}`);
  expect(status, text).toBe(200);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

test("[A84] events are Docker's: of services and nodes, and those of tasks as events of containers", async () => {
  const control = new TestControl(1);
  const id = await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
  await control.update("my-web", (read) => ({ ...read, Labels: { a: "b" } }));
  await control.ask("DELETE /services/my-web");
  const events = await replay(control);
  expect(events.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual([
    "node create",
    "node update",
    "service create",
    "container create",
    "container start",
    "service update",
    "service remove",
    "container kill",
  ]);
  const create = events.find(({ Type }) => Type === "service");
  expect(create).toMatchObject({
    Actor: { ID: id, Attributes: { name: "my-web" } },
    scope: "swarm",
    time: control.mesh.nowMs / 1_000,
    timeNano: control.mesh.nowMs * 1e6,
  });
  const start = events.find(({ Action }) => Action === "start");
  expect(start).toMatchObject({ status: "start", scope: "local" });
  expect(start?.Actor.ID).toMatch(/^[0-9a-f]{64}$/);
  expect(start?.Actor.Attributes).toMatchObject({
    "com.docker.swarm.service.name": expect.any(String),
    image: "waggle/whoami:latest",
  });
});

test("[A452] networks, secrets and configs have Docker's events, with their names and no data", async () => {
  const control = new TestControl();
  const network = await control.ask("POST /networks/create", { body: { Name: "shop" } });
  const secret = { Name: "key", Labels: {}, Data: "czNjcmV0" };
  const { json } = await control.ask("POST /secrets/create", { body: secret });
  await control.ask(`POST /secrets/${json.ID}/update?version=${await versionOf(control, json.ID)}`, {
    body: { ...secret, Data: undefined, Labels: { a: "b" } },
  });
  await control.ask("DELETE /secrets/key");
  await control.ask("POST /configs/create", { body: { ...secret, Name: "site.conf" } });
  await control.ask("DELETE /networks/shop");
  const events = await replay(control, { type: ["network", "secret", "config"] });
  expect(events.map(({ Type, Action, Actor }) => `${Type} ${Action} ${Actor.Attributes.name}`)).toEqual([
    "network create shop",
    "secret create key",
    "secret update key",
    "secret remove key",
    "config create site.conf",
    "network remove shop",
  ]);
  expect(events[0]).toMatchObject({ Actor: { ID: network.json.Id }, scope: "swarm" });
  expect(JSON.stringify(events)).not.toContain("s3cret");
  expect((await replay(control, { secret: ["key"] })).map(({ Action }) => Action)).toEqual([
    "create",
    "update",
    "remove",
  ]);
});

async function versionOf(control: TestControl, secret: string): Promise<number> {
  return (await control.ask(`GET /secrets/${secret}`)).json.Version.Index;
}

test("[U587] a container that an update replaces is killed once and dies once", async () => {
  const control = new TestControl(1);
  await control.create("my-web", { Mode: { Replicated: { Replicas: 1 } } });
  const [replaced] = control.mesh.running("my-web");
  await control.update("my-web", (read) => ({
    ...read,
    TaskTemplate: { ...read.TaskTemplate, ForceUpdate: 1 },
  }));
  control.mesh.pass(10_000);
  control.mesh.work();
  control.mesh.pass(10_000);
  control.mesh.work();
  const ends = (await replay(control))
    .filter(({ Actor }) => Actor.Attributes["com.docker.swarm.task.id"] === replaced?.id)
    .map(({ Action, Actor }) => `${Action} ${Actor.Attributes.exitCode ?? ""}`.trim());
  expect(ends).toEqual(["create", "start", "kill", "die 0"]);
});

test("[A84] events are filtered by type, action, label and what they are about", async () => {
  const control = new TestControl(2);
  await control.create("my-web");
  await control.create("api", { EndpointSpec: {} });
  const count = async (filters: Record<string, string[]>) => (await replay(control, filters)).length;
  expect(await count({ type: ["service"] })).toBe(2);
  expect(await count({ event: ["start"] })).toBe(4);
  expect(await count({ service: ["api"], type: ["service"] })).toBe(1);
  expect(await count({ label: ["com.docker.swarm.service.name=api"] })).toBe(4);
  expect(await count({ node: ["node2"] })).toBe(2);
  expect(await count({ type: ["image"] })).toBe(0);
  const { status, json } = await control.ask(`GET ${filtered("/events", { bogus: ["a"] })}`);
  expect([status, json.message]).toEqual([400, "Invalid filter 'bogus'"]);
});

test("[A84] without since only later events are sent, each as it happens, until the given time", async () => {
  let sinceSeq = -1;
  const happening: MeshEvent = {
    seq: 900,
    atMs: 5_000,
    actor: "operator",
    action: "service.create",
    subject: { type: "service", id: "s1", name: "later" },
    why: "",
  };
  const control = new TestControl(1, {
    watchEvents: async (seq) => {
      sinceSeq = seq;
      return (async function* () {
        yield {
          ...happening,
          action: "table.version",
          subject: { type: "mesh", id: "m", name: "m" },
        } as const;
        yield happening;
      })();
    },
  });
  await control.ask("POST /services/create", { body: spec("my-web") });
  const { text } = await control.ask("GET /events");
  expect(JSON.parse(text)).toMatchObject({ Type: "service", Actor: { ID: "s1" } });
  expect(sinceSeq).toBe(control.mesh.registry.newestEvents(1)[0]?.seq);
});

test.each(["since=yesterday", "until=1h", "since=-1"])(
  "[A84] %s is refused with what works",
  async (query) => {
    const { status, json } = await new TestControl(1).ask(`GET /events?${query}`);
    expect([status, json.message]).toEqual([400, expect.stringContaining("write it as seconds since 1970")]);
  },
);
