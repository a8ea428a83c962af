import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable, isRoutable } from "../../../src/domain/compile.ts";
import type { RoutingTable, TableNode, TableService } from "../../../src/domain/table.ts";
import { printTable, readTable } from "../../../src/domain/table-text.ts";
import type { World } from "../../../src/domain/world.ts";
import { happenings, SimulatedMesh } from "./simulated-mesh.ts";

const worlds = fc.array(happenings, { minLength: 3, maxLength: 40, size: "max" }).map((story) => {
  const mesh = new SimulatedMesh();
  for (const happening of story) mesh.let(happening);
  return mesh.world;
});

test("[R1] a table holds exactly the tasks that are wanted, running, healthy and on a node that is heard", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const table = compileTable(world, 1);
      for (const service of table.services) {
        const routable = [...world.tasks.values()].filter(
          (task) => task.serviceId === service.id && isRoutable(task) && world.nodes.has(task.nodeId ?? ""),
        );
        const heard = routable.filter(({ nodeId }) => world.nodes.get(nodeId ?? "")?.state !== "down");
        const expected = heard.length > 0 ? heard : routable;
        expect(service.tasks.map(({ id }) => id)).toEqual(expected.map(({ id }) => id).sort());
        for (const { id } of service.tasks) {
          expect(world.tasks.get(id)).toMatchObject({ desired: "running", state: "running" });
          expect(world.tasks.get(id)?.health?.verdict).toBe("healthy");
        }
      }
    }),
  );
});

test("[R2] the same world gives the same bytes, in whatever order its things are kept", () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), (world, numbers) => {
      const text = printTable(compileTable(world, 7));
      expect(printTable(compileTable(shuffled(world, numbers), 7))).toBe(text);
    }),
  );
});

test("[R3] reading a printed table gives an equal one, whatever its names are", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("-", '"', "a b", "\n", "node1", "\u2028"),
  );
  const id = fc.string({ minLength: 1, maxLength: 6 });
  const port = fc.integer({ min: 1, max: 65_535 });
  const node: fc.Arbitrary<TableNode> = fc.record({
    id,
    name: text,
    up: fc.boolean(),
    address: text,
    hosts: fc.uniqueArray(fc.domain(), { maxLength: 3 }).map((list) => [...list].sort()),
  });
  const tables: fc.Arbitrary<RoutingTable> = fc
    .uniqueArray(node, { selector: (one) => one.id, maxLength: 5 })
    .map((nodes) => [...nodes].sort(byName))
    .chain((nodes) => {
      const task = fc.record({
        id,
        slot: fc.nat(),
        nodeId: fc.nat().map((pick) => nodes[pick % nodes.length]?.id ?? ""),
        weight: fc.nat(256),
        endpoints: fc
          .uniqueArray(fc.tuple(port, text), { selector: ([target]) => target, minLength: 1, maxLength: 3 })
          .map((list) => [...list].sort(([a], [b]) => a - b)),
      });
      const service: fc.Arbitrary<TableService> = fc.record({
        id,
        name: text,
        policy: fc.constant("roundrobin" as const),
        ports: fc
          .uniqueArray(
            fc.record({
              target: port,
              published: port,
              mode: fc.constantFrom("ingress" as const, "host" as const),
            }),
            {
              selector: ({ published }) => published,
              maxLength: 3,
            },
          )
          .map((list) => [...list].sort((a, b) => a.published - b.published)),
        hosts: fc.uniqueArray(fc.domain(), { maxLength: 3 }).map((list) => [...list].sort()),
        tasks:
          nodes.length === 0
            ? fc.constant([])
            : ordered(fc.uniqueArray(task, { selector: (one) => one.id, maxLength: 4 })),
      });
      const services = fc
        .uniqueArray(service, { selector: (one) => one.id, maxLength: 4 })
        .map((list) => [...list].sort(byName));
      return fc.record({ version: fc.nat(), nodes: fc.constant(nodes), services, first: fc.boolean() });
    })
    .map(({ version, nodes, services, first }) => ({
      version,
      nodes,
      services,
      defaultService: first ? (services[0]?.name ?? null) : null,
    }));
  fc.assert(
    fc.property(tables, (table) => {
      expect(readTable(printTable(table))).toEqual(table);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(worlds, (world) => {
      const table = compileTable(world, 3);
      expect(readTable(printTable(table))).toEqual(table);
    }),
  );
});

test("[R4] a text is either read whole or refused with its line, whatever is changed in it", () => {
  const put = fc.constantFrom("", "x", " ", '"', "-", "0", "task", "\n");
  fc.assert(
    fc.property(worlds, fc.nat(), put, (world, at, letters) => {
      const text = printTable(compileTable(world, 3));
      const place = at % text.length;
      const changed = text.slice(0, place) + letters + text.slice(place + 1);
      let printed: string;
      try {
        printed = printTable(readTable(changed));
      } catch (error) {
        expect(error).toMatchObject({
          code: "table/invalid",
          message: expect.stringMatching(/^routing table, line \d+: /),
        });
        return;
      }
      // A changed letter of a name is still a table, but then nothing of it may be lost.
      expect(printed).toBe(changed);
    }),
    { numRuns: 300 },
  );
});

function byName(a: { name: string; id: string }, b: { name: string; id: string }): number {
  return a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1;
}

function ordered<T extends { readonly id: string }>(lists: fc.Arbitrary<T[]>): fc.Arbitrary<T[]> {
  return lists.map((list) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1)));
}

function shuffled(world: World, numbers: Iterator<number>): World {
  const shuffle = <T>(map: ReadonlyMap<string, T>) =>
    new Map(
      [...map]
        .map((entry) => [Number(numbers.next().value), entry] as const)
        .sort(([a], [b]) => a - b)
        .map(([, entry]) => entry),
    );
  return { nodes: shuffle(world.nodes), services: shuffle(world.services), tasks: shuffle(world.tasks) };
}
