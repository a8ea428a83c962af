import fc from "fast-check";
import { expect, test } from "vitest";
import { applyTableChange, readTableUpdate } from "../../../../src/domain/table/apply-change.ts";
import { printServiceChange, printTableChange } from "../../../../src/domain/table/change-text.ts";
import { PartsHash, tableHash } from "../../../../src/domain/table/parts-hash.ts";
import { diffService, followDiff } from "../../../../src/domain/table/service-lines.ts";
import { byTableOrder, type RoutingTable, type TableService } from "../../../../src/domain/table/table.ts";
import { nodeWords, printNode, printTable, printTableService } from "../../../../src/domain/table/text.ts";
import { tables } from "../../../support/arbitrary-tables.ts";

/** Two tables, most of whose nodes and services are the same or alike. */
const successions = fc.tuple(tables, tables, fc.infiniteStream(fc.nat(5))).map(([before, other, numbers]) => {
  const chance = () => Number(numbers.next().value);
  const nodes = [
    ...before.nodes.flatMap((node) => {
      const use = chance();
      // A name that another node has as well, too.
      const name = use === 1 ? (before.nodes[0]?.name ?? "") : node.name;
      return use === 0 ? [] : [{ ...node, name, up: use > 2 }];
    }),
    ...other.nodes.filter(({ id }) => chance() > 2 && !before.nodes.some((node) => node.id === id)),
  ].sort(byTableOrder);
  const ids = new Set(nodes.map(({ id }) => id));
  const services = [
    ...before.services.flatMap((service) => (chance() === 0 ? [] : [changed(service, chance)])),
    ...other.services.filter(
      ({ id }) => chance() > 2 && !before.services.some((service) => service.id === id),
    ),
  ]
    .map((service) => ({ ...service, tasks: service.tasks.filter(({ nodeId }) => ids.has(nodeId)) }))
    .sort(byTableOrder);
  const { signingKey } = other;
  const after: RoutingTable = {
    version: before.version + 1,
    nodes,
    services,
    defaultService: null,
    signingKey,
  };
  return { before, after };
});

function changed(service: TableService, chance: () => number): TableService {
  const { downServers = [], servers = [], tasks, ...head } = service;
  const kept = {
    servers: servers.filter(() => chance() > 0),
    downServers: downServers.filter(() => chance() > 0),
    tasks: tasks.flatMap((task) => {
      const use = chance();
      return use === 0 ? [] : [use === 1 ? { ...task, weight: 3 } : task];
    }),
  };
  return {
    ...head,
    ...(chance() === 0 && { name: "other" }),
    ...(kept.servers.length > 0 && { servers: kept.servers }),
    ...(kept.downServers.length > 0 && { downServers: kept.downServers }),
    tasks: kept.tasks,
  };
}

/** The change between two tables, as the registry prints it from its parts. */
function changeBetween(before: RoutingTable, after: RoutingTable): string {
  const [old, next] = [partsOf(before), partsOf(after)];
  const hash = PartsHash.empty();
  for (const line of next.nodes.values()) hash.add("", line);
  const services: string[] = [];
  for (const id of new Set([...old.services.keys(), ...next.services.keys()])) {
    const [oldText, text] = [old.services.get(id) ?? null, next.services.get(id) ?? null];
    followDiff(hash, id, diffService(null, text));
    if (oldText === text) continue;
    const { head, members } = diffService(oldText, text);
    const touched = {
      isWhole: oldText === null,
      hasNewHead: head !== null,
      members: new Set(members.keys()),
    };
    services.push(printServiceChange(id, text, touched));
  }
  const ids = new Set([...old.nodes.keys(), ...next.nodes.keys()]);
  const changedIds = [...ids].filter((id) => old.nodes.get(id) !== next.nodes.get(id));
  return printTableChange({
    ...after,
    fromVersion: before.version,
    hash: tableHash(after, hash),
    nodes: new Map(changedIds.map((id) => [id, next.nodes.get(id) ?? null])),
    services,
  });
}

function partsOf({ nodes, services }: RoutingTable) {
  const words = nodeWords(nodes);
  return {
    nodes: new Map(nodes.map((node) => [node.id, printNode(node)])),
    services: new Map(services.map((service) => [service.id, printTableService(service, words)])),
  };
}

test("[R13] applying the change between two tables to the first gives the second, whatever their names", () => {
  fc.assert(
    fc.property(successions, ({ before, after }) => {
      const applied = applyTableChange(before, changeBetween(before, after));
      expect(printTable(applied)).toBe(printTable(after));
      expect(applied).toEqual(after);
    }),
    { numRuns: 300 },
  );
}, 30_000);

test("[R14] what a change does not touch is the same object in the table after it", () => {
  fc.assert(
    fc.property(successions, ({ before, after }) => {
      const applied = applyTableChange(before, changeBetween(before, after));
      const [old, next] = [partsOf(before), partsOf(after)];
      for (const service of applied.services) {
        const held = before.services.find(({ id }) => id === service.id);
        const isSame = old.services.get(service.id) === next.services.get(service.id);
        if (isSame) expect(service).toBe(held);
      }
      for (const node of applied.nodes) {
        const held = before.nodes.find(({ id }) => id === node.id);
        if (old.nodes.get(node.id) === next.nodes.get(node.id)) expect(node).toBe(held);
      }
      // Again, on what is derived from the first change.
      const same = applyTableChange(applied, changeBetween(after, { ...after, version: after.version + 1 }));
      expect(same.services).toBe(applied.services);
      expect(same.nodes).toBe(applied.nodes);
    }),
    { numRuns: 200 },
  );
}, 30_000);

test("[R15] a change is not applied to another table than its own, unless that gives the table it leads to", () => {
  let refused = 0;
  fc.assert(
    fc.property(successions, tables, ({ before, after }, other) => {
      let applied: RoutingTable;
      try {
        applied = applyTableChange({ ...other, version: before.version }, changeBetween(before, after));
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^table\/(invalid|conflict)$/) });
        refused += 1;
        return;
      }
      expect(printTable(applied)).toBe(printTable(after));
    }),
    { numRuns: 200 },
  );
  expect(refused).toBeGreaterThan(100);
}, 30_000);

test("[R15] a change that begins at another version, or before any table, names both", () => {
  const before: RoutingTable = {
    version: 4,
    nodes: [],
    services: [],
    defaultService: null,
    signingKey: null,
  };
  const change = changeBetween(before, { ...before, version: 5 });
  expect(() => applyTableChange({ ...before, version: 3 }, change)).toThrow(
    "the change of the routing table cannot be applied: it changes version 4, and the table has version 3",
  );
  expect(() => readTableUpdate(change, null)).toThrow("there is no table that it changes");
  expect(readTableUpdate(change, before)).toEqual({ ...before, version: 5 });
});
