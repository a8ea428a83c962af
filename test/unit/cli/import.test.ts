import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { importConfig } from "../../../src/haproxy/import.ts";
import { fakeMesh, type Reply, runCli, runOn } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-import-"));
const file = join(folder, "haproxy.cfg");

afterAll(() => rmSync(folder, { recursive: true }));

const config = `defaults
  mode http
listen web
  bind :8080
  balance leastconn
  http-request deny
  server a 10.0.0.1:80 check
  server b 10.0.0.2:80
`;
writeFileSync(file, config);

const aStatic = (name: string, labels: object, port: number) => ({
  ID: `id-${name}`,
  Version: { Index: 4 },
  Spec: {
    Name: name,
    Labels: labels,
    TaskTemplate: { ContainerSpec: { Image: "waggle/static:latest" }, ForceUpdate: 0 },
    Mode: { Replicated: { Replicas: 0 } },
    EndpointSpec: {
      Mode: "vip",
      Ports: [{ Protocol: "tcp", TargetPort: port, PublishedPort: port, PublishMode: "ingress" }],
    },
  },
  Endpoint: { Ports: [{ PublishedPort: port, TargetPort: port }] },
});

/** What an import sends to a mesh that has these. */
async function sent(services: object[], servers: object[], more: Record<string, Reply> = {}) {
  const done = { status: 200, json: {} };
  await using mesh = await fakeMesh({
    "GET /services": { json: services },
    "GET /mesh/servers": { json: servers },
    "POST /services/create": { status: 201, json: { ID: "new" } },
    "POST /services/id-web/update": { json: { Warnings: null } },
    "POST /mesh/servers": { ...done, status: 201 },
    "POST /mesh/servers/web/a/update": done,
    "DELETE /mesh/servers/web/old": { status: 204 },
    ...more,
  });
  const ran = await runOn(mesh, ["import", file]);
  const calls = mesh.calls.filter(({ method }) => method !== "GET");
  return { ...ran, calls, lines: calls.map(({ method, path }) => `${method} ${path}`) };
}

const present = importConfig(config, {}).services[0]?.servers ?? [];
const as = (at: number, over: object = {}) => ({
  service: "web",
  version: 3,
  spec: { ...present[at]?.spec, ...over },
});

test("[I11] a new mesh gets the service, then its servers, and each line's fate is told", async () => {
  const { code, out, lines } = await sent([], []);
  expect(code).toBe(0);
  expect(lines).toEqual(["POST /services/create", "POST /mesh/servers", "POST /mesh/servers"]);
  expect(out).toContain("haproxy.cfg:5  taken      balance leastconn");
  expect(out).toMatch(/haproxy\.cfg:6 {2}could not {2}http-request deny {2}\(the mesh does not rewrite/);
  expect(out).toContain("created service web\nadded server web/a\nadded server web/b\n");
});

test("[I11] what is as the file says is left, what differs is changed under its version, what is not in it goes", async () => {
  const settled = aStatic("web", { "waggle.balance": "leastconn", team: "shop" }, 8080);
  expect((await sent([settled], [as(0), as(1)])).lines).toEqual([]);
  const old = aStatic("web", { "waggle.sticky": "S", team: "shop" }, 80);
  const servers = [as(0, { weight: 9 }), as(1), { service: "web", spec: { name: "old" } }];
  const { lines, calls } = await sent([old], servers);
  expect(lines).toEqual([
    "POST /services/id-web/update",
    "POST /mesh/servers/web/a/update",
    "DELETE /mesh/servers/web/old",
  ]);
  expect(calls[0]?.body).toMatchObject({ Labels: { team: "shop", "waggle.balance": "leastconn" } });
  expect(JSON.stringify(calls[0]?.body)).not.toContain("waggle.sticky");
  expect([calls[0]?.query.get("version"), calls[1]?.query.get("version")]).toEqual(["4", "3"]);
});

test("[I11] a name or a port that belongs to something else is refused before anything is done", async () => {
  const app = aStatic("web", {}, 80);
  app.Spec.TaskTemplate.ContainerSpec.Image = "nginx:latest";
  const named = await sent([app], []);
  expect([named.code, named.lines]).toEqual([1, []]);
  expect(named.err).toContain("service web (line 3) already exists and runs nginx:latest");
  const ported = await sent([aStatic("other", {}, 8080)], []);
  expect([ported.code, ported.lines]).toEqual([1, []]);
  expect(ported.err).toContain("port 8080 of web (line 3) is already in use by service other");
});

test("[I23] what the file gives to another service now is let go of first: a port and a host name have one", async () => {
  const moved = join(folder, "moved.cfg");
  const lines = ["frontend f", " bind :80", " use_backend a if { hdr(host) a.b } { path_beg /a }"];
  lines.push(
    " default_backend b",
    "backend a",
    " server s 10.0.0.1:80",
    "backend b",
    " server s 10.0.0.1:80",
  );
  writeFileSync(moved, `defaults\n mode http\n${lines.join("\n")}\n`);
  const updated = { json: { Warnings: null } };
  const done = { status: 201, json: {} };
  const a = aStatic("a", { "waggle.host": "a.b,c.d", team: "shop" }, 80);
  await using mesh = await fakeMesh({
    "GET /services": { json: [a, aStatic("b", {}, 81)] },
    "GET /mesh/servers": { json: [] },
    "POST /services/id-a/update": updated,
    "POST /services/id-b/update": updated,
    "POST /mesh/servers": done,
  });
  const { code, out } = await runOn(mesh, ["import", moved]);
  expect([code, out.includes("removed 80, a.b from service a\n")]).toEqual([0, true]);
  expect(mesh.calls.find(({ method }) => method === "POST")?.body).toMatchObject({
    Labels: { "waggle.host": "c.d", team: "shop" },
    EndpointSpec: { Ports: [] },
  });

  await using taken = await fakeMesh({
    "GET /services": { json: [aStatic("other", { "waggle.host": "a.b" }, 82)] },
    "GET /mesh/servers": { json: [] },
  });
  const refused = await runOn(taken, ["import", moved]);
  expect(refused.err).toContain("host name a.b of b (line 9) already belongs to service other");
  expect(taken.calls.every(({ method }) => method === "GET")).toBe(true);
});

test("[I11] a service reached by host name alone gets a port of the mesh's choice, for host names need one", async () => {
  const byHost = join(folder, "host.cfg");
  writeFileSync(
    byHost,
    "defaults\n mode http\nfrontend f\n use_backend b if { hdr(host) x.example.com }\nbackend b\n server a 10.0.0.1:80\n",
  );
  await using mesh = await fakeMesh({
    "GET /services": { json: [] },
    "GET /mesh/servers": { json: [] },
    "POST /services/create": { status: 201, json: { ID: "new" } },
    "POST /mesh/servers": { status: 201, json: {} },
  });
  expect((await runOn(mesh, ["import", byHost])).code).toBe(0);
  expect(mesh.calls.find(({ path }) => path === "/services/create")?.body).toMatchObject({
    Labels: { "waggle.host": "x.example.com" },
    EndpointSpec: { Ports: [{ TargetPort: 80, PublishMode: "ingress" }] },
  });
});

test("[I11] a failure midway says how far it came", async () => {
  const refused = { status: 400, json: { message: "no" } };
  const { code, err } = await sent([], [], { "POST /mesh/servers": refused });
  expect(code).toBe(1);
  expect(err).toContain("no; 1 step was completed before");
});

test("[I10] --dry-run asks no mesh, and --json tells everything to a program", async () => {
  const dry = await runCli(["import", "--dry-run", file]);
  expect(dry.code).toBe(0);
  expect(dry.out).toContain(
    "service web at port 8080 waggle.balance=leastconn\n  server a 10.0.0.1:80 weight 1, checked",
  );
  expect(dry.out).toContain("nothing was changed");
  const json = JSON.parse((await runCli(["import", "-n", "--json", file])).out);
  expect(json).toMatchObject({ services: [{ name: "web", ports: [8080] }], errors: [], done: [] });
  expect((await runCli(["import", join(folder, "none.cfg")])).err).toContain("ENOENT");
  writeFileSync(join(folder, "empty.cfg"), "# nothing\n");
  expect((await runCli(["import", join(folder, "empty.cfg")])).err).toContain("no services");
});
