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

test.each([
  ["table {{.Name}}\\t{{.Image}}", "NAME      IMAGE\nmy-web    waggle/whoami:latest\n"],
  ["table {{upper .Name}}\\t{{.Mode}}", "NAME      MODE\nMY-WEB    replicated\n"],
  ['{{range split .Image "/"}}[{{.}}]{{end}}', "[waggle][whoami:latest]\n"],
  [
    '{{range $i, $part := split .Image "/"}}{{if $i}}, {{end}}{{$i}}={{$part}}{{end}}',
    "0=waggle, 1=whoami:latest\n",
  ],
  ['{{join (split .Image "/") " / "}}', "waggle / whoami:latest\n"],
  ['{{if eq .Mode "global"}}g{{else if eq .Mode "replicated"}}r{{else}}?{{end}}', "r\n"],
  ["{{with .Ports}}{{.}}{{else}}no ports{{end}}", "*:8080->80/tcp\n"],
  ['{{.Name | upper | printf "%-8s|%q" "a"}}', 'a       |"MY-WEB"\n'],
  ["{{pad .Name 1 2}}|{{truncate .Name 2}}|{{title .Name}}|{{len .Name}}", " my-web  |my|My-web|6\n"],
  ["{{if and .Ports (not .Missing)}}open{{end}}", "open\n"],
  ["{{$n := lower .Name -}}  {{- $n}}{{/* a comment */}}", "my-web\n"],
  ['{{or .Missing .Name}} {{slice .Name 3}} {{index (split .Name "-") 1}}', "my-web web web\n"],
  ["{{println .Name}}", "my-web\n\n"],
])("[L106] service ls --format %j prints %j", async (template, expected) => {
  await using mesh = await fakeMesh(routes);
  expect(await runOn(mesh, ["service", "ls", "--format", template])).toEqual({
    code: 0,
    out: expected,
    err: "",
  });
});

test("[L106] inspect has the same templates, also for labels whose names have dots", async () => {
  await using mesh = await fakeMesh({
    "GET /services/my-web": { json: { ...web, Spec: { ...web.Spec, Labels: { "waggle.host": "a.test" } } } },
  });
  const template =
    '{{index .Spec.Labels "waggle.host"}} {{range $k, $v := .Spec.Labels}}{{$k}}={{$v}}{{end}} {{len .Endpoint.Ports}} {{(index .Endpoint.Ports 0).PublishedPort}}';
  expect((await runOn(mesh, ["service", "inspect", "--format", template, "my-web"])).out).toBe(
    "a.test waggle.host=a.test 1 8080\n",
  );
});

test("[L106] what a function makes of a text of the mesh cannot act on the terminal, and JSON reads back", async () => {
  const hostile = "a\u001b[2J\nb";
  await using mesh = await fakeMesh({
    "GET /services/my-web": { json: { ...web, Spec: { ...web.Spec, Labels: { x: hostile } } } },
  });
  const printed = async (template: string) =>
    (await runOn(mesh, ["service", "inspect", "--format", template, "my-web"])).out;
  for (const text of ["{{.Spec.Labels.x}}", "{{upper .Spec.Labels.x}}", "{{range .Spec.Labels}}{{.}}{{end}}"])
    expect(await printed(text)).toMatch(/^[\x20-\x7e]+\n$/);
  expect(JSON.parse(await printed("{{json .Spec.Labels.x}}"))).toBe(hostile);
});

test.each([
  ["{{range .}}x", "cannot read {{range .}}", "close it with {{end}}"],
  ["{{end}}", "cannot read {{end}}", "no if, range or with"],
  ["{{shout .Name}}", "cannot read {{shout .Name}}", "functions: and, eq"],
  ['{{define "a"}}x{{end}}', 'cannot read {{define "a"}}', "functions: "],
  ["{{.Name .ID}}", "cannot read {{.Name .ID}}", "only functions take arguments"],
  ["{{(.Name}}", "cannot read {{(.Name}}", 'close it with ")"'],
  ["{{.Name &}}", "cannot read {{.Name &}}", "write fields as {{.Name}}"],
])("[L22] %j is refused before anything is sent", async (template, message, hint) => {
  await using mesh = await fakeMesh(routes);
  const { code, err } = await runOn(mesh, ["service", "ls", "--format", template]);
  expect(code).toBe(2);
  expect(err).toContain(`for "--format" flag: ${message}`);
  expect(err).toContain(hint);
  expect(mesh.calls).toEqual([]);
});

test.each([
  ["{{range 3}}{{.}}{{end}}|{{range 0}}x{{else}}zero{{end}}", "012|zero\n"],
  ["{{range .Missing}}x{{else}}missing{{end}}", "missing\n"],
  ["{{range $i := 3}}{{$i}}{{.}} {{end}}", "00 11 22 \n"],
  ["{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}", "02\n"],
  ["{{range 2}}{{range 3}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}};{{end}}", "0;0;\n"],
  ["{{$n := 0}}{{range 3}}{{$n = .}}{{end}}{{$n}}", "2\n"],
  ["{{$n := 7}}{{range $n = 3}}{{end}}{{$n}}", "2\n"],
  ['{{$i := 0}}{{$v := 0}}{{range $i, $v = split "a,b" ","}}{{end}}{{$i}}{{$v}}', "1b\n"],
  ["{{$z := 0}}{{if true}}{{$z := 1}}{{$z}}{{end}}{{$z}}", "10\n"],
  ["{{with 0}}a{{else with 1}}b{{.}}{{end}}", "b1\n"],
  [
    "{{range 0b11}}{{.}}{{end}} {{010}} {{0o17}} {{+3}} {{-0x10}} {{1_000}} {{1.}} {{1.5e-3}}",
    "012 8 15 3 -16 1000 1 0.0015\n",
  ],
])("[L203] %j iterates as in Docker's CLI", async (template, expected) => {
  await using mesh = await fakeMesh(routes);
  const { out } = await runOn(mesh, ["service", "ls", "--format", template]);
  expect(out).toBe(expected);
});

test.each([
  ["{{range .Name}}x{{end}}", 2, "range cannot iterate over my-web"],
  ['{{range ""}}x{{else}}y{{end}}', 2, "range cannot iterate over "],
  ["{{range true}}x{{end}}", 2, "range cannot iterate over true"],
  ["{{range 1000000000}}x{{end}}", 2, "range cannot iterate over 1000000000"],
  ["{{.Name.text}}", 1, "no field .Name.text"],
  ["{{range $i, $v := 3}}x{{end}}", 2, "range cannot use 3 to iterate over more than one variable"],
  ["{{range $i, $v := 0}}x{{end}}", 2, "range cannot use 0 to iterate over more than one variable"],
  ['{{range $i, $v := len "abc"}}x{{end}}', 2, "range cannot use 3 to iterate"],
  ["{{range 2.0}}x{{end}}", 2, "range cannot iterate over 2"],
  ["{{range $a, $b, $c := .}}x{{end}}", 2, "range declares two variables at most"],
  ["{{with $a, $b := 3}}x{{end}}", 2, "with declares one variable at most"],
  ["{{if $a, $b := 3}}x{{end}}", 2, "if declares one variable at most"],
  ["{{range nil}}x{{end}}", 2, "nil is an argument"],
  ["{{nil}}", 2, "nil is an argument"],
  ["{{with 0}}a{{else if 1}}b{{end}}", 2, "cannot read {{else if 1}}"],
  ["{{range 0}}a{{else}}{{break}}{{end}}", 2, "cannot read {{break}}"],
  ["{{if true}}{{continue}}{{end}}", 2, "cannot read {{continue}}"],
  ["{{$y = 2}}", 1, "no variable $y"],
  ["{{if true}}{{$z := 1}}{{end}}{{$z}}", 1, "no variable $z"],
  ["{{99999999999999999999}}", 2, "cannot read {{99999999999999999999}}"],
  ["{{089}}", 2, "cannot read {{089}}"],
])("[L203] %j is refused as by Docker's CLI", async (template, exitCode, message) => {
  await using mesh = await fakeMesh(routes);
  const { code, out, err } = await runOn(mesh, ["service", "ls", "--format", template]);
  expect([code, out, err]).toEqual([exitCode, "", expect.stringContaining(message)]);
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
