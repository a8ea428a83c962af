import { expect, test } from "vitest";
import { node, port, service, task } from "./engine-objects.ts";
import { fakeMesh, type Routes, runOn } from "./support.ts";

const node1 = node("node1");
const web = service("my-web", { ports: [port(80, 8080)], running: 1 });
const routes: Routes = {
  "GET /nodes": { json: [node1] },
  "GET /services": { json: [web] },
  "GET /services/my-web": { json: web },
  "GET /tasks": {
    json: [
      task("a1", { service: web, slot: 1, node: node1, ageSeconds: 8 }),
      task("a2", {
        service: web,
        slot: 1,
        node: node1,
        state: "failed",
        desired: "shutdown",
        ageSeconds: 70,
      }),
    ],
  },
};

test.each([
  [["service", "ls", "--format", "{{.Name}}\\t{{ .Ports }}"], "my-web\t*:8080->80/tcp\n"],
  [
    ["service", "ps", "--format", "{{.Name}} on {{.Node}}", "my-web"],
    "my-web.1 on node1\nmy-web.1 on node1\n",
  ],
  [["node", "ls", "--format", "{{.Hostname}}={{.Status}}"], "node1=Ready\n"],
  [
    ["service", "inspect", "--format", "{{.Spec.Name}} {{json .Spec.Mode}}", "my-web"],
    `my-web ${JSON.stringify(web.Spec.Mode)}\n`,
  ],
  [["node", "inspect", "--format", "{{.Description.Hostname}}", "node1"], "node1\n"],
])("[L22] %j prints the fields that the template names", async (args, expected) => {
  await using mesh = await fakeMesh({ ...routes, "GET /nodes/node1": { json: node1 } });
  expect(await runOn(mesh, args)).toEqual({ code: 0, out: expected, err: "" });
});

test("[L22] --format json prints one object of the columns per line, like Docker", async () => {
  await using mesh = await fakeMesh(routes);
  const { out } = await runOn(mesh, ["service", "ls", "--format", "json"]);
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      ID: web.ID.slice(0, 12),
      Name: "my-web",
      Mode: "replicated",
      Replicas: "1/2",
      Image: expect.any(String),
      Ports: "*:8080->80/tcp",
    },
  ]);
});

test("[L22] an unsupported template is refused before anything is sent", async () => {
  await using mesh = await fakeMesh(routes);
  const { code, err } = await runOn(mesh, ["service", "ls", "--format", "{{range .}}x{{end}}"]);
  expect(code).toBe(2);
  expect(err).toContain('for "--format" flag: cannot read {{range .}}');
  expect(err).toContain("write fields as {{.Name}}");
  expect(mesh.calls).toEqual([]);
});

test("[L22] a field that is not closed is refused", async () => {
  await using mesh = await fakeMesh(routes);
  const { code, err } = await runOn(mesh, ["service", "ls", "--format", "{{.Name}} {{.Ports"]);
  expect([code, err]).toEqual([2, expect.stringContaining("cannot read {{.Ports")]);
});

test("[L22] an unknown field is refused, with the known ones", async () => {
  await using mesh = await fakeMesh(routes);
  const { code, err } = await runOn(mesh, ["service", "ls", "--format", "{{.Nam}}"]);
  expect([code, err]).toEqual([
    1,
    "waggle: no field .Nam\nknown fields: ID, Name, Mode, Replicas, Image, Ports\n",
  ]);
});
