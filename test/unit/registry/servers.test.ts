import { beforeEach, describe, expect, test } from "vitest";
import { maxProbeReportGapMs } from "../../../src/domain/model/probe-list.ts";
import { defaultHttpCheck, type ServerSpec } from "../../../src/domain/model/server.ts";
import { serverStatus } from "../../../src/domain/model/server-health.ts";
import type { AdminTarget, ServerView } from "../../../src/registry/api.ts";
import { probeSilenceMs } from "../../../src/registry/probing.ts";
import { aCheckedServer, aServerSpec } from "../../support/servers.ts";
import { refusal, TestMesh } from "./harness.ts";

const refused = { word: "L4CON", code: null, durationMs: 1 } as const;
const accepted = { word: "L4OK", code: null, durationMs: 1 } as const;

let mesh: TestMesh;

beforeEach(() => {
  mesh = new TestMesh();
  mesh.service("web", { mode: { kind: "replicated", replicas: 0 } });
  mesh.registry.takeEffects();
});

function add(spec: ServerSpec, service = "web"): ServerView {
  const added = mesh.registry.addServer(service, { spec, admin: "ready" }, "operator");
  if (!added.ok) throw new Error(added.problem.message);
  return added.value;
}

function servers(): readonly ServerView[] {
  const found = mesh.registry.servers(null);
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

function server(name: string): ServerView {
  const found = servers().find(({ spec }) => spec.name === name);
  if (found === undefined) throw new Error(`no server ${name}`);
  return found;
}

/** A region reports the counter of a server. */
function reportCounter(region: string, name: string, counter: number, epoch = server(name).epoch): void {
  const last = counter >= 2 ? accepted : refused;
  mesh.registry.reportProbes(region, "", [
    { serverId: server(name).id, epoch, counter, fails: 4 - counter, last },
  ]);
}

function setAdmin(kind: AdminTarget["kind"], ref: string, state: "ready" | "drain" | "maint"): string {
  return refusal(mesh.registry.setAdmin({ kind, ref }, state, "operator"));
}

describe("the operator", () => {
  test("[F18] adds, changes and removes servers of a service; each is an event", () => {
    add(aServerSpec());
    add(aCheckedServer({ name: "node2", host: "node2.example.com" }));
    expect(servers().map(({ service, spec }) => `${service}/${spec.name}`)).toEqual([
      "web/node1",
      "web/node2",
    ]);
    const changed = mesh.registry.updateServer("web/node1", 1, aServerSpec({ weight: 5 }), "operator");
    expect(changed).toMatchObject({ ok: true, value: { version: 2, spec: { weight: 5 } } });
    mesh.registry.removeServer("web/node2", "operator");
    expect(servers().map(({ spec }) => spec.name)).toEqual(["node1"]);
    expect(mesh.events("server.add")).toEqual([
      "web/node1: 10.0.0.1:8080, not checked",
      "web/node2: node2.example.com:8080",
    ]);
    expect(mesh.events("server.update")).toHaveLength(1);
    expect(mesh.events("server.remove")).toEqual(["web/node2: "]);
  });

  test("[F39] changes and removes a server whose stored pattern is refused, and hears why its check fails", () => {
    const http = { ...defaultHttpCheck, expect: { kind: "rstring", pattern: "ready", not: false } } as const;
    const { id, epoch } = add(aCheckedServer({}, { http }));
    // An earlier release accepted JavaScript's syntax.
    mesh.database.exec("UPDATE servers SET body = replace(body, '\"ready\"', '\"(?=a)b\"')");
    mesh.restart();
    const { spec } = server("node1");
    expect(spec.check?.http?.expect?.pattern).toBe("(?=a)b");
    const detail = "cannot use the pattern";
    const last = { word: "L7RSP", code: 200, durationMs: 1, detail } as const;
    mesh.registry.reportProbes("weur", "", [{ serverId: id, epoch, counter: 0, fails: 1, last }]);
    expect(serverStatus(server("node1"))).toBe("DOWN");
    expect(mesh.events("server.down")).toEqual([`web/node1: L7RSP/200 in 1ms (${detail})`]);
    const update = (next: ServerSpec) =>
      refusal(mesh.registry.updateServer("web/node1", null, next, "operator"));
    expect(update({ ...spec, weight: 5 })).toBe("");
    expect(setAdmin("server", "web/node1", "maint")).toBe("");
    expect(
      update(aCheckedServer({}, { http: { ...http, expect: { ...http.expect, pattern: "(?=c)d" } } })),
    ).toContain("server/invalid: cannot use the pattern");
    expect(update(aCheckedServer({}, { http }))).toBe("");
    expect(refusal(mesh.registry.removeServer("web/node1", "operator"))).toBe("");
    expect(servers()).toEqual([]);
  });

  test("[F18] a server is found by service and name, by id, or by an id prefix", () => {
    const { id } = add(aServerSpec());
    for (const ref of ["web/node1", id, id.slice(0, 24)]) {
      expect(refusal(mesh.registry.updateServer(ref, null, aServerSpec(), "operator"))).toBe("");
    }
    expect(refusal(mesh.registry.removeServer("web/node7", "operator"))).toBe(
      "server/not-found: server web/node7 not found",
    );
  });

  test("[F18] an equal server raises no version, and a change based on an older version is out of sequence", () => {
    add(aServerSpec());
    mesh.registry.updateServer("web/node1", 1, aServerSpec(), "operator");
    expect(server("node1").version).toBe(1);
    mesh.registry.updateServer("web/node1", 1, aServerSpec({ weight: 2 }), "operator");
    expect(
      refusal(mesh.registry.updateServer("web/node1", 1, aServerSpec({ weight: 3 }), "operator")),
    ).toContain("out of sequence");
  });

  test("[F19] an invalid server is refused and not stored", () => {
    add(aServerSpec());
    const refusals: readonly [ServerSpec, string][] = [
      [aServerSpec(), "service web already has a server node1"],
      [aServerSpec({ name: "a", weight: 300 }), "weight is 300"],
      [aServerSpec({ name: "a", host: "not a host" }), 'server address "not a host"'],
    ];
    for (const [spec, text] of refusals) {
      expect(refusal(mesh.registry.addServer("web", { spec, admin: "ready" }, "operator"))).toContain(text);
    }
    const unknownService = mesh.registry.addServer(
      "nothing",
      { spec: aServerSpec(), admin: "ready" },
      "operator",
    );
    expect(refusal(unknownService)).toContain("service nothing not found");
    expect(servers()).toHaveLength(1);
  });

  test("[F19] at the edge an IP address is refused, because fetch to one fails there (1003)", () => {
    mesh = new TestMesh("edge");
    mesh.service("web", { mode: { kind: "replicated", replicas: 0 } });
    const input = { spec: aServerSpec(), admin: "ready" } as const;
    expect(refusal(mesh.registry.addServer("web", input, "operator"))).toContain("1003");
    expect(add(aServerSpec({ host: "node1.example.com" })).service).toBe("web");
  });

  test("[F20] removing a service removes its servers, and servers survive the loss of the registry's memory", () => {
    add(aCheckedServer());
    reportCounter("weur", "node1", 0);
    mesh.restart();
    expect(server("node1")).toMatchObject({ health: { up: false, downs: 1 } });
    mesh.registry.removeService("web", "operator");
    expect(servers()).toEqual([]);
    mesh.restart();
    expect(servers()).toEqual([]);
  });
});

describe("the probers", () => {
  test("[F21] are woken when the list of checks changes, and at no other time", () => {
    const wakes = () => mesh.registry.takeEffects().wakes;
    add(aServerSpec());
    expect(wakes()).toEqual([]);
    add(aCheckedServer({ name: "node2" }));
    expect(wakes()).toEqual(["weur"]);
    reportCounter("weur", "node2", 4);
    mesh.registry.updateServer("web/node2", null, aCheckedServer({ name: "node2", weight: 9 }), "operator");
    expect(wakes()).toEqual([]);
    setAdmin("server", "web/node2", "drain");
    expect(wakes()).toEqual([]);
    setAdmin("server", "web/node2", "maint");
    expect(wakes()).toEqual(["weur"]);
    expect(mesh.registry.reportProbes("weur", "", [])).toMatchObject({ targets: [] });
  });

  test("[F21] get the list with a report if they have another one", () => {
    add(aCheckedServer({}, { rise: 3 }));
    const list = mesh.registry.reportProbes("weur", "", []);
    expect(list?.targets).toMatchObject([
      { name: "web/node1", host: "10.0.0.1", port: 8080, counter: 3, epoch: 1 },
    ]);
    expect(mesh.registry.reportProbes("weur", list?.hash ?? "", [])).toBeNull();
    reportCounter("weur", "node1", 0);
    expect(mesh.registry.reportProbes("weur", list?.hash ?? "", [])).toBeNull();
  });

  test("[F22] change a server's state, the table and the events with a report, once", () => {
    add(aCheckedServer());
    const before = mesh.registry.info().tableVersion;
    reportCounter("weur", "node1", 4);
    reportCounter("weur", "node1", 3);
    expect(serverStatus(server("node1"))).toBe("UP 2/3");
    expect(mesh.events("server.down")).toEqual([]);
    reportCounter("weur", "node1", 0);
    expect(serverStatus(server("node1"))).toBe("DOWN");
    expect(mesh.events("server.down")).toEqual(["web/node1: L4CON in 1ms"]);
    reportCounter("weur", "node1", 0);
    expect(mesh.events("server.down")).toHaveLength(1);
    reportCounter("weur", "node1", 4);
    expect(mesh.events("server.up")).toEqual(["web/node1: L4OK in 1ms"]);
    expect(mesh.registry.info().tableVersion).toBeGreaterThanOrEqual(before);
  });

  test("[F22] report results from before a restart of a server's checks without effect", () => {
    add(aCheckedServer());
    mesh.registry.updateServer("web/node1", null, aCheckedServer({ port: 9090 }), "operator");
    reportCounter("weur", "node1", 0, 1);
    expect(server("node1").health?.up).toBe(true);
    reportCounter("weur", "node1", 0, 2);
    expect(server("node1").health?.up).toBe(false);
  });

  test("[F23] of a region that is not configured are ignored, and have nothing to check", () => {
    add(aCheckedServer());
    reportCounter("mars", "node1", 0);
    expect(server("node1").health?.up).toBe(true);
    expect(mesh.registry.reportProbes("mars", "", [])).toMatchObject({ targets: [] });
  });

  test("[F23] of silent regions do not count and are woken, and an event says so once", () => {
    mesh.regions = ["weur", "enam", "apac"];
    mesh.restart();
    add(aCheckedServer());
    for (const region of mesh.regions) reportCounter(region, "node1", 0);
    expect(server("node1").health?.up).toBe(false);
    // Two regions become silent after they reported down; the third reports up.
    reportCounter("weur", "node1", 4);
    expect(server("node1").health?.up).toBe(false);
    mesh.pass(probeSilenceMs - maxProbeReportGapMs);
    reportCounter("weur", "node1", 4);
    mesh.pass(maxProbeReportGapMs + probeSilenceMs - 1);
    reportCounter("weur", "node1", 4);
    mesh.registry.takeEffects();
    const { wakes } = mesh.pass(probeSilenceMs);
    expect(server("node1").health?.up).toBe(true);
    expect(wakes).toEqual(expect.arrayContaining(["enam", "apac"]));
    expect(mesh.events("prober.silent").filter((event) => event.includes("enam"))).toHaveLength(1);
  });

  test("[F23] leave a server as it was when all regions are silent", () => {
    add(aCheckedServer());
    reportCounter("weur", "node1", 0);
    mesh.pass(3 * probeSilenceMs);
    expect(server("node1").health?.up).toBe(false);
  });

  test("[F24] do not wake the registry when there is nothing to check", () => {
    add(aServerSpec());
    add(aCheckedServer({ name: "node2" }));
    expect(mesh.registry.nextDeadlineMs()).toBe(mesh.nowMs + probeSilenceMs);
    mesh.registry.removeServer("web/node2", "operator");
    expect(mesh.registry.nextDeadlineMs()).toBeNull();
  });
});

describe("the admin state", () => {
  test("[F25] of a server: maintenance is downtime without checks, and ends with the server up", () => {
    add(aCheckedServer());
    reportCounter("weur", "node1", 0);
    setAdmin("server", "web/node1", "maint");
    reportCounter("weur", "node1", 4);
    expect(serverStatus(server("node1"))).toBe("MAINT");
    mesh.nowMs += 5_000;
    setAdmin("server", "web/node1", "ready");
    expect(server("node1")).toMatchObject({ health: { up: true, counter: 2, downMs: 5_000 }, epoch: 3 });
    expect(mesh.events("server.state")).toEqual(["web/node1: ready -> maint", "web/node1: maint -> ready"]);
    setAdmin("server", "web/node1", "ready");
    expect(mesh.events("server.state")).toHaveLength(2);
  });

  test("[F25] of a node and of a task is independent of the node's availability", () => {
    mesh.node("alpha");
    mesh.service("app", { ports: [] });
    mesh.work();
    expect(setAdmin("node", "alpha", "drain")).toBe("");
    expect(setAdmin("task", "app.1", "maint")).toBe("");
    expect(mesh.registry.node("alpha")).toMatchObject({
      value: { admin: "drain", availability: "active" },
    });
    expect(mesh.tasks("app")[0]).toMatchObject({ admin: "maint", state: "running" });
    expect(mesh.events("node.state")).toEqual(["alpha: ready -> drain"]);
    expect(mesh.events("task.state")).toEqual(["app.1: ready -> maint"]);
    expect(setAdmin("task", "app.7", "maint")).toContain("task app.7 not found");
  });
});
