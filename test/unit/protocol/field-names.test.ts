import { expect, test } from "vitest";
import { z } from "zod";
import { withFieldNames } from "../../../src/protocol/engine/field-names.ts";
import { TestControl } from "../control/support.ts";

const schema = z.strictObject({
  Name: z.string(),
  Labels: z.record(z.string(), z.string()).nullish(),
  Ports: z.array(z.object({ TargetPort: z.int() })).default([]),
});

test("[A76] a key that names no field exactly is the field of that name in another case", () => {
  expect(withFieldNames(schema, { name: "a", PORTS: [{ targetport: 80, odd: 1 }], odd: null })).toEqual({
    Name: "a",
    Ports: [{ TargetPort: 80, odd: 1 }],
    odd: null,
  });
});

test("[A76] of two keys for one field the last counts, and keys of maps are kept", () => {
  expect(withFieldNames(schema, { name: "a", Name: "b" })).toEqual({ Name: "b" });
  expect(withFieldNames(schema, { Name: "b", name: "a" })).toEqual({ Name: "a" });
  expect(withFieldNames(schema, { labels: { NAME: "x", name: "y" } })).toEqual({
    Labels: { NAME: "x", name: "y" },
  });
  const hostile = JSON.parse('{"__proto__":{"Name":"x"},"constructor":1}');
  expect(JSON.stringify(withFieldNames(schema, hostile))).toBe('{"__proto__":{"Name":"x"},"constructor":1}');
});

test("[A76] a service may be sent with keys in any case, and is returned with Docker's", async () => {
  const control = new TestControl();
  const sent = {
    name: "my-web",
    labels: { Name: "kept", name: "kept too" },
    tasktemplate: {
      containerspec: { image: "waggle/whoami", env: ["A=1"], mounts: [{ type: "bind", source: "/a" }] },
      Resources: { limits: { nanocpus: 1e9 } },
      placement: { platforms: [{ os: "linux" }] },
    },
    Mode: { replicated: { replicas: 4 } },
    endpointspec: { ports: [{ targetport: 80, publishedport: 8080 }] },
  };
  const { json } = await control.ask("POST /services/create", { body: sent });
  control.mesh.work();
  const service = (await control.ask(`GET /services/${json.ID}`)).json;
  const shownPort = { Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" };
  expect(service.Spec).toEqual({
    Name: "my-web",
    Labels: { Name: "kept", name: "kept too" },
    TaskTemplate: {
      ContainerSpec: {
        Image: "waggle/whoami",
        Env: ["A=1"],
        Mounts: [{ Type: "bind", Source: "/a" }],
        Isolation: "default",
      },
      Runtime: "container",
      ForceUpdate: 0,
      Resources: { Limits: { NanoCPUs: 1e9 } },
      Placement: { Platforms: [{ OS: "linux" }] },
    },
    Mode: { Replicated: { Replicas: 4 } },
    EndpointSpec: { Mode: "vip", Ports: [shownPort] },
  });
  expect(service.Endpoint.Ports).toMatchObject([{ TargetPort: 80, PublishedPort: 8080 }]);
  expect(control.mesh.registry.services()[0]?.desiredTasks).toBe(4);
});

test("[A76] every other route takes keys in any case too", async () => {
  const control = new TestControl();
  const global = { Name: "g", TaskTemplate: { ContainerSpec: { Image: "a" } }, Mode: { global: {} } };
  await control.ask("POST /services/create", { body: global });
  expect(control.mesh.registry.services()[0]?.spec.mode).toEqual({ kind: "global" });
  const node = (await control.ask("GET /nodes/node1")).json;
  const body = { labels: { Zone: "a" }, role: "worker", availability: "drain" };
  expect((await control.ask(`POST /nodes/${node.ID}/update?version=1`, { body })).status).toBe(200);
  expect((await control.ask(`GET /nodes/${node.ID}`)).json.Spec).toEqual({
    Labels: { Zone: "a" },
    Role: "worker",
    Availability: "drain",
  });
  const server = { SERVICE: "g", Server: { Name: "s", host: "192.0.2.1", PORT: 80 } };
  expect((await control.ask("POST /mesh/servers", { body: server })).status).toBeLessThan(300);
  expect((await control.ask("POST /networks/create", { body: { name: "n" } })).status).toBe(201);
});
