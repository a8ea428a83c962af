import { describe, expect, test } from "vitest";
import { compileTable } from "../../../../src/domain/compile/compile-table.ts";
import { exclusionReason } from "../../../../src/domain/compile/exclusion.ts";
import type { StaticServer } from "../../../../src/domain/model/server.ts";
import { initialServerHealth } from "../../../../src/domain/model/server-health.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { aCheckedServer, aServer, aServerSpec } from "../../../support/servers.ts";
import { aNode, aService, aTask, aWorld } from "../../../support/world.ts";

const web = aService({ name: "web", replicas: 0 });

function withServers(...servers: StaticServer[]): World {
  return { ...aWorld([], [web]), servers: new Map(servers.map((server) => [server.id, server])) };
}

/** The server lines of the printed table. */
function serverLines(...servers: StaticServer[]): string[] {
  const text = printTable(compileTable(withServers(...servers), 1));
  expect(printTable(readTable(text))).toBe(text);
  return text.split("\n").filter((line) => line.startsWith("  server "));
}

const check = aCheckedServer().check;
const down = check === null ? null : { ...initialServerHealth(check, 0), up: false, counter: 0 };

test("[W30] with waggle.allbackups=false the first available backup gets the requests, servers in order of creation", () => {
  const service = aService({ name: "web", replicas: 0, labels: { "waggle.allbackups": "false" } });
  const added = (name: string, createdAtMs: number, more: Partial<StaticServer> = {}) => ({
    ...aServer(service, aCheckedServer({ name, backup: true })),
    createdAtMs,
    ...more,
  });
  const standby = (...servers: StaticServer[]) => {
    const world = {
      ...aWorld([], [service]),
      servers: new Map(servers.map((server) => [server.id, server])),
    };
    const table = compileTable(world, 1);
    expect(readTable(printTable(table))).toEqual(table);
    const all = table.services[0]?.servers ?? [];
    return all.filter((server) => server.standby === true).map(({ name }) => name);
  };
  expect(standby(added("b", 2), added("a", 3), added("c", 1))).toEqual(["a", "b"]);
  expect(standby(added("b", 2), added("c", 1, { health: down }))).toEqual([]);
  expect(standby(added("b", 2), added("c", 1, { admin: "drain" }))).toEqual(["c"]);
});

describe("static servers in the table", () => {
  test("[F26] have their address, weight, backup and maxconn", () => {
    const spec = aServerSpec({
      host: "fd00::7",
      tls: true,
      port: 8443,
      weight: 7,
      backup: true,
      maxConn: 20,
    });
    const id = aServer(web, spec).id;
    expect(serverLines(aServer(web, spec))).toEqual([
      `  server ${id} node1 weight 7 backup maxconn 20 https://[fd00::7]:8443`,
    ]);
  });

  test("[F26] are left out while they are down or in maintenance, and marked while they drain", () => {
    const up = aServer(web, aCheckedServer({ name: "a" }));
    const { id } = up;
    expect(serverLines(up)).toEqual([`  server ${id} a weight 1 http://10.0.0.1:8080`]);
    expect(serverLines({ ...up, health: down })).toEqual([]);
    expect(serverLines({ ...up, admin: "maint" })).toEqual([]);
    expect(serverLines({ ...up, admin: "drain" })).toEqual([
      `  server ${id} a weight 1 drain http://10.0.0.1:8080`,
    ]);
  });

  test("[F45] that are down are listed with the reason, while their service has no other target", () => {
    const server = (name: string, more: Partial<StaticServer> = {}) =>
      aServer(web, aCheckedServer({ name }), more);
    const last = { word: "L7STS", code: 503, durationMs: 3, detail: 'not "ok"' } as const;
    const failing = down === null ? null : { ...down, last };
    const [a, b, c] = [
      server("a", { health: failing }),
      server("b", { admin: "maint" }),
      server("c", { health: down }),
    ];
    const downLines = (world: World) => {
      const text = printTable(compileTable(world, 1));
      expect(printTable(readTable(text))).toBe(text);
      return text.split("\n").filter((line) => line.startsWith("  down "));
    };
    const words = [
      [a.id, `  down ${a.id} a "down: L7STS/503"`],
      [b.id, `  down ${b.id} b "in maint"`],
      [c.id, `  down ${c.id} c down`],
    ] as const;
    const inOrder = words.toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, line]) => line);
    expect(downLines(withServers(a, b, c))).toEqual(inOrder);
    expect(downLines(withServers(a, b, c, server("d")))).toEqual([]);
    expect(downLines(withServers())).toEqual([]);
    expect(() => readTable(printTable(compileTable(withServers(b), 1)).replace(' "in maint"', ""))).toThrow(
      "down ID NAME WHY",
    );
  });

  test("[F26] have a slow start after they were down, but not when they are new", () => {
    const slow = aService({ name: "web", replicas: 0, labels: { "waggle.slowstart": "30s" } });
    const isNew = aServer(slow, aCheckedServer({ name: "new" }));
    const health = check === null ? null : { ...initialServerHealth(check, isNew.createdAtMs + 5_000) };
    const isBack = aServer(slow, aCheckedServer({ name: "back" }), { health });
    const servers = new Map([isNew, isBack].map((server) => [server.id, server]));
    const [service] = compileTable({ ...aWorld([], [slow]), servers }, 1).services;
    expect(service?.servers?.map(({ name, sinceMs }) => [name, sinceMs])).toEqual([
      ["back", isNew.createdAtMs + 5_000],
      ["new", undefined],
    ]);
  });

  test("[F26] are left out if their service was removed", () => {
    const orphan = aServer({ id: "gone" });
    expect(serverLines(orphan)).toEqual([]);
  });
});

describe("tasks in admin state drain or maint", () => {
  const app = aService({ name: "app" });
  const node = aNode();

  test("[F27] are marked while they drain and left out in maintenance; a node's admin state is in the table", () => {
    const [draining, inMaintenance] = [
      aTask(app, { slot: 1, admin: "drain" }),
      aTask(app, { slot: 2, admin: "maint" }),
    ];
    const { services, nodes } = compileTable(
      aWorld([{ ...node, admin: "maint" }], [app], [draining, inMaintenance]),
      1,
    );
    expect(services[0]?.tasks.map(({ id, drain }) => [id, drain])).toEqual([[draining.id, true]]);
    expect(nodes[0]).toMatchObject({ up: true, admin: "maint" });
    expect(exclusionReason(inMaintenance, node)).toBe("its admin state is maint");
  });
});
