import { describe, expect, test } from "vitest";
import { type Call, fakeMesh, type Reply, runOn } from "./support.ts";

const node1 = {
  id: "s1",
  service: "web",
  version: 3,
  admin: "ready",
  spec: {
    ...{ name: "node1", host: "fd00::1", port: 8080, tls: false, weight: 2, backup: true, maxConn: 0 },
    ...{ cookie: null, check: { interMs: 2_000, rise: 2, fall: 3, http: null } },
  },
  status: "UP 2/3",
  lastCheck: "L7STS/503 in 4ms",
  sinceMs: 0,
  fails: 7,
  downs: 1,
  downtimeMs: 61_000,
  last: null,
  regions: {},
};

const routes = {
  "GET /mesh/servers": { json: [node1] },
  "GET /services": { json: [] },
  "POST /services/create": { status: 201, json: { ID: "new" } },
  "POST /mesh/servers": { status: 201, json: node1 },
  "POST /mesh/servers/web/node1/update": { json: node1 },
  "DELETE /mesh/servers/web/node1": { status: 204 },
  "POST /mesh/admin": { status: 204 },
  "GET /nodes/node1": {
    json: { ID: "n1", Version: { Index: 1 }, Spec: { Role: "worker", Availability: "active" } },
  },
} satisfies Readonly<Record<string, Reply>>;

/** Runs one command line; returns its output and the changes it sent. */
async function runVerb(...args: string[]) {
  await using mesh = await fakeMesh(routes);
  const ran = await runOn(mesh, args);
  const bodies = mesh.calls.filter(({ method }: Call) => method !== "GET");
  return { ...ran, bodies: bodies.map(({ path, body }: Call) => [path, body]) };
}

describe("waggle server", () => {
  test("[F33] add sends only the given settings, and creates the service if --publish is given", async () => {
    const { code, bodies } = await runVerb(
      ..."server add web node1 [fd00::1]:8080 --weight 2 --backup --inter 500ms --fall 5 -p 8080:80".split(
        " ",
      ),
    );
    expect(code).toBe(0);
    expect(bodies).toMatchObject([
      [
        "/services/create",
        {
          Name: "web",
          Mode: { Replicated: { Replicas: 0 } },
          EndpointSpec: { Ports: [{ PublishedPort: 8080 }] },
        },
      ],
      ["/mesh/servers", { service: "web" }],
    ]);
    expect(bodies[1]?.[1]).toEqual({
      service: "web",
      server: {
        name: "node1",
        host: "fd00::1",
        port: 8080,
        weight: 2,
        backup: true,
        check: { interMs: 500, fall: 5 },
      },
    });
  });

  test("[F33] an HTTP check is written as in HAProxy", async () => {
    const { bodies } = await runVerb(
      ...["server", "add", "web", "node1", "a.example.com:80", "--httpchk", "GET /health HTTP/1.1"],
      ...["--http-header", "Host: www.example.com", "--expect", "! rstring ^sorry"],
    );
    expect(bodies[0]?.[1]).toMatchObject({
      server: {
        check: {
          http: {
            ...{ method: "GET", uri: "/health", version: "HTTP/1.1" },
            headers: [{ name: "Host", value: "www.example.com" }],
            expect: { kind: "rstring", pattern: "^sorry", not: true },
          },
        },
      },
    });
  });

  test("[F33] set changes the given settings, with the version that was read; --admin sets the admin state", async () => {
    const { bodies } = await runVerb("server", "set", "web/node1", "--weight", "9", "--no-check");
    expect(bodies).toEqual([["/mesh/servers/web/node1/update", { ...node1.spec, weight: 9, check: null }]]);
    expect((await runVerb("server", "set", "web/node1", "--admin", "drain")).bodies).toEqual([
      ["/mesh/admin", { kind: "server", ref: "web/node1", state: "drain" }],
    ]);
    expect((await runVerb("task", "set", "web.1", "--admin", "maint")).bodies).toEqual([
      ["/mesh/admin", { kind: "task", ref: "web.1", state: "maint" }],
    ]);
    expect((await runVerb("node", "update", "node1", "--admin", "ready")).bodies).toEqual([
      ["/mesh/admin", { kind: "node", ref: "n1", state: "ready" }],
    ]);
  });

  test("[F33] ls prints HAProxy's columns", async () => {
    const { out } = await runVerb("server", "ls");
    expect(out.split("\n")[1]).toMatch(
      /^web\/node1 +\[fd00::1\]:8080 +2 backup +UP 2\/3 +L7STS\/503 in 4ms +7 +1 +about a minute$/,
    );
    expect((await runVerb("server", "ls", "-q")).out).toBe("web/node1\n");
  });

  test("[F33] rm removes servers by SERVICE/SERVER", async () => {
    expect(await runVerb("server", "rm", "web/node1")).toMatchObject({ code: 0, out: "web/node1\n" });
  });

  test.each([
    [["server", "add", "web", "node1", "10.0.0.1"], 2, 'cannot read address "10.0.0.1"'],
    [["server", "set", "web", "--weight", "1"], 2, 'cannot read server "web"'],
    [["server", "set", "web/node1"], 2, "nothing to change"],
    [["server", "set", "web/node7", "--weight", "1"], 1, "server web/node7 not found"],
    [["server", "set", "web/node1", "--admin", "off"], 2, "must be one of ready, drain, maint"],
    [
      ["server", "add", "web", "n", "a:1", "--expect", "body x"],
      2,
      "must be status, rstatus, string or rstring",
    ],
    [["task", "set", "web.1"], 2, "nothing to change"],
    [["service", "create", "--name", "web"], 2, "missing required argument 'image'"],
    [["service", "create", "--static", "nginx"], 2, "--static takes no image"],
  ])("[F33] %j is refused with a hint", async (args, code, text) => {
    const ran = await runVerb(...args);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(text);
    expect(ran.bodies).toEqual([]);
  });
});
