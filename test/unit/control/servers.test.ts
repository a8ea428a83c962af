import { describe, expect, test } from "vitest";
import { ServerStatus } from "../../../src/protocol/server.ts";
import { MeshStatus } from "../../../src/protocol/status.ts";
import { spec, TestControl, viewerToken } from "./support.ts";

const server = { name: "node1", host: "127.0.0.1", port: 8080, check: {} };

/** A mesh with the static service `web`. */
async function aStaticMesh(): Promise<TestControl> {
  const control = new TestControl(0);
  await createStatic(control);
  return control;
}

function createStatic(control: TestControl, replicas = 0) {
  const body = spec("web", {
    TaskTemplate: { ContainerSpec: { Image: "waggle/static:latest" } },
    Mode: { Replicated: { Replicas: replicas } },
  });
  return control.ask("POST /services/create", { body });
}

function add(control: TestControl, over: object = {}, token?: string) {
  const body = { service: "web", server: { ...server, ...over } };
  return control.ask("POST /mesh/servers", { body, ...(token !== undefined && { token }) });
}

describe("static servers over the control API", () => {
  test("[F30] can be added with HAProxy's defaults, listed, changed and removed", async () => {
    const control = await aStaticMesh();
    const added = await add(control);
    expect(added.status).toBe(201);
    expect(ServerStatus.parse(added.json)).toMatchObject({
      service: "web",
      status: "UP 1/3",
      admin: "ready",
      spec: { weight: 1, backup: false, maxConn: 0, check: { interMs: 2_000, rise: 2, fall: 3, http: null } },
    });
    const path = "/mesh/servers/web/node1";
    const updated = await control.ask(`POST ${path}/update?version=1`, { body: { ...server, weight: 7 } });
    expect(updated.json).toMatchObject({ version: 2, spec: { weight: 7 } });
    expect((await control.ask(`POST ${path}/update?version=1`, { body: server })).status).toBe(500);
    expect((await control.ask("GET /mesh/servers?service=web")).json).toHaveLength(1);
    expect((await control.ask(`DELETE ${path}`)).status).toBe(204);
    expect((await control.ask("GET /mesh/servers")).json).toEqual([]);
  });

  test.each([
    [{ port: "x" }, 400, "cannot read server.port: expected number"],
    [{ wieght: 2 }, 400, "wieght"],
    [{ weight: 999 }, 400, "weight is 999: use a whole number from 0 to 256"],
    [{ host: "no host" }, 400, 'server address "no host"'],
    [{ check: { http: { expect: { kind: "rstring", pattern: "(" } } } }, 400, 'pattern "("'],
    [{ check: { http: { version: "HTTP/3" } } }, 400, "version"],
  ])("[F30] an invalid field is refused by name: %j", async (over, status, message) => {
    const control = await aStaticMesh();
    const response = await add(control, over);
    expect(response.status).toBe(status);
    expect(response.json.message).toContain(message);
    expect((await control.ask("GET /mesh/servers")).json).toEqual([]);
  });

  test("[F30] a viewer may read them but not change them", async () => {
    const control = await aStaticMesh();
    expect((await add(control, {}, viewerToken)).status).toBe(403);
    await add(control);
    expect((await control.ask("GET /mesh/servers", { token: viewerToken })).json).toHaveLength(1);
    const body = { kind: "server", ref: "web/node1", state: "maint" };
    expect((await control.ask("POST /mesh/admin", { body, token: viewerToken })).status).toBe(403);
  });

  test("[F30] a server, task or node has one of three admin states", async () => {
    const control = await aStaticMesh();
    await add(control);
    const set = (body: object) => control.ask("POST /mesh/admin", { body });
    expect((await set({ kind: "server", ref: "web/node1", state: "maint" })).status).toBe(204);
    expect((await control.ask("GET /mesh/servers")).json).toMatchObject([{ status: "MAINT" }]);
    expect((await set({ kind: "server", ref: "web/node1", state: "off" })).status).toBe(400);
    expect((await set({ kind: "service", ref: "web", state: "drain" })).status).toBe(400);
    expect((await set({ kind: "node", ref: "node9", state: "drain" })).json.message).toBe(
      "node node9 not found",
    );
  });

  test("[F31] the status has them; a server that is down is a problem, and a mesh with only servers needs no node", async () => {
    const control = await aStaticMesh();
    await add(control);
    const [{ id }] = (await control.ask("GET /mesh/servers")).json;
    const read = async () => MeshStatus.parse((await control.ask("GET /mesh/status")).json);
    expect((await read()).problems).toEqual([]);
    const last = { word: "L4CON", code: null, durationMs: 2 } as const;
    control.mesh.registry.reportProbes("weur", "", [{ serverId: id, epoch: 1, counter: 0, fails: 1, last }]);
    const { servers, problems } = await read();
    expect(servers).toMatchObject([
      { status: "DOWN", lastCheck: "L4CON in 2ms", downs: 1, regions: { weur: 0 } },
    ]);
    expect(problems).toMatchObject([{ what: "server web/node1", why: "down: L4CON in 2ms" }]);
  });

  test("[F32] a static service has no tasks: the image none with replicas is refused", async () => {
    const control = new TestControl(0);
    const { status, json } = await createStatic(control, 2);
    expect(status).toBe(400);
    expect(json.message).toContain("waggle/static:latest has static servers and no tasks: use 0 replicas");
    expect((await createStatic(control)).status).toBe(201);
    expect((await control.ask("GET /services?status=true")).json).toMatchObject([
      { ServiceStatus: { RunningTasks: 0, DesiredTasks: 0 } },
    ]);
  });
});
