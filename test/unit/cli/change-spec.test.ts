import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EnginePortConfig } from "../../../src/cli/engine.ts";
import { advertiseWarning, changeNode } from "../../../src/cli/node/update.ts";
import { changeSpec } from "../../../src/cli/service/change-spec.ts";
import { buildSpec } from "../../../src/cli/service/spec.ts";
import { node, port, service } from "./engine-objects.ts";
import { fakeMesh, runOn } from "./support.ts";

const { Spec: spec } = service("my-web", { ports: [port(80, 8080)] });
const add = (published: number, target = 80, mode: "ingress" | "host" = "ingress") => [
  { Protocol: "tcp" as const, TargetPort: target, PublishedPort: published, PublishMode: mode },
];
const published = (ports: readonly EnginePortConfig[] | undefined) =>
  ports?.map((port) => `${port.PublishedPort}:${port.TargetPort}`);

describe("[L6] an update edits what its flags name and keeps the rest", () => {
  test("[L6] without flags nothing changes, including members unknown to this command", () => {
    expect(changeSpec(spec, {})).toEqual(spec);
  });

  test("[L6] an environment variable is set, replaced and removed by its key", () => {
    const env = (flags: Parameters<typeof changeSpec>[1]) =>
      changeSpec(spec, flags).TaskTemplate.ContainerSpec.Env;
    expect(env({ envAdd: ["C=d"] })).toEqual(["A=b", "C=d"]);
    expect(env({ envAdd: ["A=c"] })).toEqual(["A=c"]);
    expect(env({ envRm: ["A"] })).toEqual([]);
    expect(env({ envRm: ["A"], envAdd: ["A=again"] })).toEqual(["A=again"]);
  });

  test("[L6] labels and constraints are removed before new ones are added", () => {
    const changed = changeSpec(spec, {
      labelRm: ["team"],
      labelAdd: [["team", "api"]],
      constraintRm: ["node.role == worker"],
      constraintAdd: ["node.id!=x", "node.id != x"],
    });
    expect(changed.Labels).toEqual({ team: "api" });
    expect(changed.TaskTemplate.Placement).toEqual({ Constraints: ["node.id != x", "node.id!=x"] });
  });

  test("[L6] --force raises ForceUpdate, --image gets its tag, --args replaces all", () => {
    const { TaskTemplate: template } = changeSpec(spec, { force: true, image: "web", args: ["a"] });
    expect(template).toMatchObject({
      ForceUpdate: 1,
      ContainerSpec: { Image: "web:latest", Args: ["a"], Init: false },
    });
    expect(template.LogDriver).toEqual({ Name: "none" });
  });

  test("[L6] replicas of a global service are refused", () => {
    const { Spec: global } = service("agent", { global: true });
    expect(() => changeSpec(global, { replicas: 2 })).toThrow(
      "replicas can only be used with replicated mode",
    );
  });

  test("[L6] a node keeps its other labels and its availability", () => {
    const { Spec: before } = node("node1", { Labels: { a: "1", b: "2" } });
    expect(changeNode(before, { labelRm: ["a"], labelAdd: [["c", "3"]] })).toEqual({
      Role: "worker",
      Availability: "active",
      Labels: { b: "2", c: "3" },
    });
    expect(changeNode(before, { availability: "drain" })).toMatchObject({
      Availability: "drain",
      Labels: { a: "1", b: "2" },
    });
  });
});

test("[L95] an empty --advertise-addr withdraws the confirmation, and one that misses the node's address warns", () => {
  const node1 = node("node1", { Labels: { a: "1", "waggle.address": "192.0.2.1" } });
  expect(changeNode(node1.Spec, { advertiseAddr: "" }).Labels).toEqual({ a: "1" });
  const claiming = { ...node1, Status: { Addr: "192.0.2.7" } };
  expect(advertiseWarning(claiming, "192.0.2.8,node1.example.com")).toMatch(
    "node1 claims 192.0.2.7, which 192.0.2.8,node1.example.com does not confirm",
  );
  for (const fine of ["192.0.2.7", "192.0.2.0/24", "", undefined])
    expect(advertiseWarning(claiming, fine)).toBeNull();
});

test("[O101] --transport sets the label waggle.transport, and auto removes it", () => {
  const { Spec: plain } = node("node1", { Labels: { a: "1" } });
  const pinned = changeNode(plain, { transport: "vpc" });
  expect(pinned.Labels).toEqual({ a: "1", "waggle.transport": "vpc" });
  expect(changeNode(pinned, { transport: "tunnel" }).Labels).toEqual({
    a: "1",
    "waggle.transport": "tunnel",
  });
  expect(changeNode(pinned, { transport: "auto" }).Labels).toEqual({ a: "1" });
});

describe("[L7] ports of an update", () => {
  const ports = (flags: Parameters<typeof changeSpec>[1]) =>
    published(changeSpec(spec, flags).EndpointSpec?.Ports);

  test("[L7] a second published port of the same target is added to the first", () => {
    expect(ports({ publishAdd: add(9090) })).toEqual(["8080:80", "9090:80"]);
  });

  test("[L7] adding an existing port changes nothing", () => {
    expect(ports({ publishAdd: add(8080) })).toEqual(["8080:80"]);
  });

  test("[L7] a removal matches the target port and ignores the published port", () => {
    expect(ports({ publishRm: add(1) })).toEqual([]);
    expect(ports({ publishRm: add(8080, 81) })).toEqual(["8080:80"]);
    expect(ports({ publishRm: add(8080, 80, "host") })).toEqual(["8080:80"]);
  });

  test("[L7] removing and adding in one command moves a port", () => {
    expect(ports({ publishRm: add(8080), publishAdd: add(9090) })).toEqual(["9090:80"]);
  });

  test("[L7] adding any ports twice is the same as adding them once", () => {
    const anyPorts = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(anyPorts, (pairs) => {
        const publishAdd = pairs.flatMap(([publishedPort, targetPort]) => add(publishedPort, targetPort));
        const once = changeSpec(spec, { publishAdd });
        expect(changeSpec(once, { publishAdd })).toEqual(once);
      }),
    );
  });
});

test("[L6] create sends what `docker service create` sends for the same flags", async () => {
  await using mesh = await fakeMesh({
    "POST /services/create": { status: 201, json: { ID: "abc", Warnings: ["mind the gap"] } },
  });
  const flags =
    "--name x -p 8080:80 -p target=81,mode=host --replicas 3 -e A=b -e B=c -e A=d -l k=v --constraint node.role==worker " +
    "--replicas-max-per-node 2 --limit-cpu 0.5 --reserve-memory 64m --stop-grace-period 3s --stop-signal SIGINT " +
    "--restart-condition on-failure --restart-delay 2s --restart-max-attempts 3 --restart-window 1m " +
    "--update-parallelism 2 --update-order start-first -w /tmp --entrypoint serve";
  const ran = await runOn(mesh, ["service", "create", "-d", ...flags.split(" "), "nginx", "cmd", "-p", "y"]);
  expect(ran).toEqual({ code: 0, out: "abc\n", err: "warning: mind the gap\n" });
  expect(mesh.calls[0]?.body).toEqual({
    Name: "x",
    Labels: { k: "v" },
    TaskTemplate: {
      ContainerSpec: {
        Image: "nginx:latest",
        Command: ["serve"],
        Args: ["cmd", "-p", "y"],
        Env: ["A=d", "B=c"],
        Dir: "/tmp",
        StopSignal: "SIGINT",
        StopGracePeriod: 3e9,
      },
      Resources: { Limits: { NanoCPUs: 5e8 }, Reservations: { MemoryBytes: 64 * 2 ** 20 } },
      RestartPolicy: { Condition: "on-failure", Delay: 2e9, MaxAttempts: 3, Window: 60e9 },
      Placement: { Constraints: ["node.role==worker"], MaxReplicas: 2 },
      ForceUpdate: 0,
    },
    Mode: { Replicated: { Replicas: 3 } },
    UpdateConfig: { Parallelism: 2, Order: "start-first" },
    EndpointSpec: {
      Mode: "vip",
      Ports: [
        { Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" },
        { Protocol: "tcp", TargetPort: 81, PublishMode: "host" },
      ],
    },
  });
});

test("[L6] --mode global creates a global service", () => {
  expect(buildSpec({ name: "agent", mode: "global" }, "agent:1", []).Mode).toEqual({ Global: {} });
});

describe("[L6] a spec is written back with the version that was read", () => {
  const web = service("my-web", { ports: [port(80, 8080)] });
  const routes = {
    "GET /services/my-web": { json: web },
    [`GET /services/${web.ID}`]: { json: web },
    [`POST /services/${web.ID}/update`]: { json: { Warnings: null } },
  };

  test("[L6] update", async () => {
    await using mesh = await fakeMesh(routes);
    const ran = await runOn(mesh, ["service", "update", "-d", "--publish-add", "9090:80", "my-web"]);
    expect(ran).toEqual({ code: 0, out: "my-web\n", err: "" });
    const [read, write] = mesh.calls;
    expect(read?.query.get("insertDefaults")).toBe("false");
    expect(write?.query.get("version")).toBe("12");
    expect(write?.body).toEqual({
      ...web.Spec,
      EndpointSpec: { Mode: "vip", Ports: [port(80, 8080), port(80, 9090)] },
    });
  });

  test("[L6] --rollback requests the previous spec and excludes other flags", async () => {
    await using mesh = await fakeMesh(routes);
    expect(await runOn(mesh, ["service", "update", "-d", "--rollback", "my-web"])).toMatchObject({ code: 0 });
    expect(mesh.calls[1]?.query.get("rollback")).toBe("previous");
    expect(
      await runOn(mesh, ["service", "update", "-d", "--rollback", "--replicas", "9", "my-web"]),
    ).toMatchObject({ code: 2 });
    expect(mesh.calls.filter((call) => call.method === "POST")).toHaveLength(1);
  });

  test("[L6] scale", async () => {
    await using mesh = await fakeMesh(routes);
    const ran = await runOn(mesh, ["service", "scale", "-d", "my-web=5"]);
    expect(ran).toEqual({ code: 0, out: "my-web scaled to 5\n", err: "" });
    expect(mesh.calls[1]?.body).toEqual({ ...web.Spec, Mode: { Replicated: { Replicas: 5 } } });
  });

  test("[L6] one invalid scale argument keeps all from being sent", async () => {
    await using mesh = await fakeMesh(routes);
    expect(await runOn(mesh, ["service", "scale", "-d", "my-web=5", "api=x"])).toMatchObject({ code: 2 });
    expect(mesh.calls).toEqual([]);
  });

  test("[L96] a node update without a change is refused, with what can be changed", async () => {
    await using mesh = await fakeMesh({});
    for (const args of [["node1"], ["--json", "node1"]]) {
      const { code, out, err } = await runOn(mesh, ["node", "update", ...args]);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toBe(
        "waggle: nothing to change\nname what to change: --availability, --admin, --label-add, --label-rm, --transport or --advertise-addr\n",
      );
    }
    expect(mesh.calls).toEqual([]);
  });

  test("[L6] node update", async () => {
    const node1 = node("node1");
    await using mesh = await fakeMesh({
      "GET /nodes/node1": { json: node1 },
      [`POST /nodes/${node1.ID}/update`]: {},
    });
    const ran = await runOn(mesh, ["node", "update", "--availability", "drain", "node1"]);
    expect(ran).toEqual({ code: 0, out: "node1\n", err: "" });
    expect(mesh.calls[1]?.query.get("version")).toBe("7");
    expect(mesh.calls[1]?.body).toEqual({ Role: "worker", Availability: "drain", Labels: {} });
  });

  test("[L6] node rm --force sends force=1", async () => {
    await using mesh = await fakeMesh({ "DELETE /nodes/node1": {} });
    expect(await runOn(mesh, ["node", "rm", "-f", "node1"])).toEqual({ code: 0, out: "node1\n", err: "" });
    expect(mesh.calls[0]?.query.get("force")).toBe("1");
  });
});

describe("[L16] join-token", () => {
  const tokens = (worker: string) => ({
    Version: { Index: 3 },
    Spec: { Name: "default" },
    JoinTokens: { Worker: worker, Manager: "m" },
  });

  test("[L16] prints the command that adds a node; -q prints only the token", async () => {
    await using mesh = await fakeMesh({ "GET /swarm": { json: tokens("SWMTKN-1-a-b") } });
    expect((await runOn(mesh, ["join-token"])).out).toContain(
      `waggle agent --join SWMTKN-1-a-b ${mesh.url}\n`,
    );
    expect((await runOn(mesh, ["join-token", "worker", "-q"])).out).toBe("SWMTKN-1-a-b\n");
  });

  test("[L16] --rotate replaces the token and prints the new one", async () => {
    let token = "SWMTKN-1-old-old";
    await using mesh = await fakeMesh({
      "GET /swarm": () => ({ json: tokens(token) }),
      "POST /swarm/update": () => {
        token = "SWMTKN-1-new-new";
        return {};
      },
    });
    expect((await runOn(mesh, ["join-token", "--rotate", "-q"])).out).toBe("SWMTKN-1-new-new\n");
    expect(Object.fromEntries(mesh.calls[1]?.query ?? [])).toEqual({
      version: "3",
      rotateWorkerToken: "true",
    });
    expect(mesh.calls[1]?.body).toEqual({ Name: "default" });
  });
});
