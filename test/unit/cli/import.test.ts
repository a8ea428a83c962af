import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkImport } from "../../../src/cli/import/check.ts";
import { importConfig } from "../../../src/haproxy/import.ts";
import { fakeMesh, type Routes, runCli, runOn, serverStatus } from "./support.ts";

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

const staticService = (name: string, labels: object, port: number) => ({
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

/** Imports into a mesh with these services and servers; returns the result and the changes sent. */
async function runImport(services: object[], servers: object[], more: Routes = {}) {
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

const { servers: present = [], labels = {} } = importConfig(config, {}).services[0] ?? {};
const presentServer = (index: number, change: object = {}) => ({
  ...serverStatus("", "UP"),
  service: "web",
  version: 3,
  spec: { ...present[index]?.spec, ...change },
});

test("[I11] an empty mesh gets the service, then its servers; the treatment of each line is printed", async () => {
  const { code, out, lines } = await runImport([], []);
  expect(code).toBe(0);
  expect(lines).toEqual(["POST /services/create", "POST /mesh/servers", "POST /mesh/servers"]);
  expect(out).toContain("haproxy.cfg:5  taken      balance leastconn");
  expect(out).toMatch(/haproxy\.cfg:6 {2}could not {2}http-request deny {2}\(the mesh does not rewrite/);
  expect(out).toContain("created service web\nadded server web/a\nadded server web/b\n");
});

test("[I11] equal services and servers stay, different ones are updated, servers not in the file are removed", async () => {
  const settled = staticService("web", { ...labels, team: "shop" }, 8080);
  expect((await runImport([settled], [presentServer(0), presentServer(1)])).lines).toEqual([]);
  const old = staticService("web", { "waggle.sticky": "S", team: "shop" }, 80);
  const servers = [
    presentServer(0, { weight: 9 }),
    presentServer(1),
    { ...serverStatus("old", "UP"), service: "web" },
  ];
  const { lines, calls } = await runImport([old], servers);
  expect(lines).toEqual([
    "POST /services/id-web/update",
    "POST /mesh/servers/web/a/update",
    "DELETE /mesh/servers/web/old",
  ]);
  expect(calls[0]?.body).toMatchObject({ Labels: { team: "shop", "waggle.balance": "leastconn" } });
  expect(JSON.stringify(calls[0]?.body)).not.toContain("waggle.sticky");
  expect([calls[0]?.query.get("version"), calls[1]?.query.get("version")]).toEqual(["4", "3"]);
});

test("[I11] a name or port of another service is refused before any change", async () => {
  const app = staticService("web", {}, 80);
  app.Spec.TaskTemplate.ContainerSpec.Image = "nginx:latest";
  const nameConflict = await runImport([app], []);
  expect([nameConflict.code, nameConflict.lines]).toEqual([1, []]);
  expect(nameConflict.err).toContain("service web (line 3) already exists and runs nginx:latest");
  const portConflict = await runImport([staticService("other", {}, 8080)], []);
  expect([portConflict.code, portConflict.lines]).toEqual([1, []]);
  expect(portConflict.err).toContain("port 8080 of web (line 3) is already in use by service other");
});

test("[I23] a port or host name that moves to another service is removed from the first one before", async () => {
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
  const a = staticService("a", { "waggle.host": "a.b,c.d", team: "shop" }, 80);
  await using mesh = await fakeMesh({
    "GET /services": { json: [a, staticService("b", {}, 81)] },
    "GET /mesh/servers": { json: [] },
    "GET /services/a": { json: a },
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
    "GET /services": { json: [staticService("other", { "waggle.host": "a.b" }, 82)] },
    "GET /mesh/servers": { json: [] },
  });
  const refused = await runOn(taken, ["import", moved]);
  expect(refused.err).toContain("host name a.b of b (line 9) already belongs to service other");
  expect(taken.calls.every(({ method }) => method === "GET")).toBe(true);
});

test("[I11] a service with host names and no port gets a port that the mesh chooses", async () => {
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

test("[L90] with --strict nothing is imported if a line about requests cannot be", async () => {
  await using mesh = await fakeMesh({});
  const { code, out, err } = await runOn(mesh, ["import", "--strict", file]);
  expect([code, mesh.calls]).toEqual([1, []]);
  expect(out).toContain("nothing was changed");
  expect(err).toContain("1 line of ");
  expect(err).toContain("cannot be imported: nothing was changed");
  expect(err).toMatch(/or how:\n {2}\S+haproxy\.cfg:6 {2}http-request deny\nwithout --strict/);
  const plain = join(folder, "plain.cfg");
  writeFileSync(
    plain,
    "defaults\n mode http\nlisten web\n timeout connect 5s\n bind :80\n server a 10.0.0.1:80\n",
  );
  expect((await runCli(["import", "--dry-run", "--strict", plain])).code).toBe(0);
});

test("[L91] the report ends with the lost protection and the number of lines of each outcome", async () => {
  const { out } = await runCli(["import", "--dry-run", file]);
  expect(out).toMatch(
    /lost protection: .*\n {2}\S+haproxy.cfg:6 {2}listen web: http-request deny {2}\(denies requests; of web\)\n/,
  );
  expect(out).toMatch(/\nlines: 6 taken, 0 as is, 1 could not be imported\n\ndry run/);
  const json = JSON.parse((await runCli(["import", "-n", "--json", file])).out);
  expect(json.lostProtection).toMatchObject([{ line: 6, section: "listen web", services: ["web"] }]);
});

test("[L92] names, labels and servers that no mesh can have are refused", () => {
  const service = { name: "web", line: 3, ports: [], labels: {}, servers: present };
  const refusal = (change: object) => {
    try {
      checkImport([{ ...service, ...change }]);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(refusal({})).toBeNull();
  expect(refusal({ name: "www.example.com" })).toContain("service www.example.com (line 3)");
  expect(refusal({ labels: { "waggle.balance": "fastest" } })).toContain("service web (line 3): label");
  const [server] = present;
  const invalid = { ...server, spec: { ...server?.spec, weight: 300 } };
  expect(refusal({ servers: [invalid] })).toContain("server web/a (line 7): weight is 300");
});

test("[I42] if a step fails, the steps before it are taken back, the last one first", async () => {
  const refused = { status: 400, json: { message: "no" } };
  const done = { status: 201, json: {} };
  const undo = { "DELETE /services/web": { status: 204 }, "DELETE /mesh/servers/web/a": { status: 204 } };
  let added = 0;
  const addServer = () => {
    added += 1;
    return added === 1 ? done : refused;
  };
  const created = await runImport([], [], { ...undo, "POST /mesh/servers": addServer });
  expect(created.code).toBe(1);
  expect(created.lines).toEqual([
    ...["POST /services/create", "POST /mesh/servers", "POST /mesh/servers"],
    ...["DELETE /mesh/servers/web/a", "DELETE /services/web"],
  ]);
  expect(created.err).toContain('no (step that failed: "added server web/b"); the mesh is as it was before');
  expect(created.out).toContain("undone: added server web/a\nundone: created service web\n");

  const old = staticService("web", { team: "shop" }, 80);
  const updated = await runImport([old], [presentServer(0, { weight: 9 })], {
    "GET /services/web": { json: { ...old, Version: { Index: 5 } } },
    "POST /mesh/servers": refused,
  });
  const bodies = updated.calls.map(({ body }) => body);
  expect(updated.lines.slice(3)).toEqual(["POST /mesh/servers/web/a/update", "POST /services/id-web/update"]);
  expect(bodies[3]).toMatchObject({ weight: 9 });
  expect([updated.calls[4]?.query.get("version"), bodies[4]]).toEqual(["5", old.Spec]);
});

test("[I42] steps that cannot be taken back are named", async () => {
  const refused = { status: 400, json: { message: "no" } };
  const { code, err } = await runImport([], [], {
    "POST /mesh/servers": refused,
    "DELETE /services/web": refused,
  });
  expect(code).toBe(1);
  expect(err).toContain("could not take back: created service web");
  expect(err).toContain("completed steps are skipped");
});

test("[I10] --dry-run sends nothing, and --json prints everything for programs", async () => {
  const dry = await runCli(["import", "--dry-run", file]);
  expect(dry.code).toBe(0);
  expect(dry.out).toContain(
    "service web at port 8080 waggle.balance=leastconn waggle.hedge=false\n  server a 10.0.0.1:80 weight 1, checked",
  );
  expect(dry.out).toContain("nothing was changed");
  const json = JSON.parse((await runCli(["import", "-n", "--json", file])).out);
  expect(json).toMatchObject({ services: [{ name: "web", ports: [8080] }], errors: [], done: [] });
  expect((await runCli(["import", join(folder, "none.cfg")])).err).toContain("there is no such file");
  writeFileSync(join(folder, "empty.cfg"), "# nothing\n");
  expect((await runCli(["import", join(folder, "empty.cfg")])).err).toContain("no services");
});
