import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable, isRoutable } from "../../../../src/domain/compile/compile-table.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { tables } from "../../../support/arbitrary-tables.ts";
import { SimulatedMesh, simulatedEvents } from "../orchestrator/simulated-mesh.ts";

const worlds = fc.array(simulatedEvents, { minLength: 3, maxLength: 40, size: "max" }).map((events) => {
  const mesh = new SimulatedMesh();
  for (const event of events) mesh.apply(event);
  return mesh.world;
});

test("[R1] a table has exactly the tasks that are wanted, running, healthy and on a node that is not down", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const table = compileTable(world, 1);
      for (const service of table.services) {
        const routable = [...world.tasks.values()].filter(
          (task) => task.serviceId === service.id && isRoutable(task) && world.nodes.has(task.nodeId ?? ""),
        );
        const onUpNodes = routable.filter(({ nodeId }) => world.nodes.get(nodeId ?? "")?.state !== "down");
        const expected = onUpNodes.length > 0 ? onUpNodes : routable;
        expect(service.tasks.map(({ id }) => id)).toEqual(expected.map(({ id }) => id).sort());
        for (const { id } of service.tasks) {
          expect(world.tasks.get(id)).toMatchObject({ desired: "running", state: "running" });
          expect(world.tasks.get(id)?.health?.verdict).toBe("healthy");
        }
      }
    }),
  );
});

test("[R2] equal worlds give equal bytes, whatever the order of their maps", () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), (world, numbers) => {
      const text = printTable(compileTable(world, 7));
      expect(printTable(compileTable(shuffled(world, numbers), 7))).toBe(text);
    }),
  );
});

test("[R3] reading a printed table gives an equal table, whatever its names", () => {
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
}, 30_000);

test("[R4] a changed text is either read as a whole or refused with the line", () => {
  const replacement = fc.constantFrom("", "x", " ", '"', "-", "0", "task", "\n");
  fc.assert(
    fc.property(worlds, fc.nat(), replacement, (world, offset, letters) => {
      const text = printTable(compileTable(world, 3));
      const index = offset % text.length;
      const changed = text.slice(0, index) + letters + text.slice(index + 1);
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
      // With a changed letter of a name the text is still a table; then nothing of it may be lost.
      expect(printed).toBe(changed);
    }),
    { numRuns: 300 },
  );
});

function shuffled(world: World, numbers: Iterator<number>): World {
  const shuffle = <T>(map: ReadonlyMap<string, T>) =>
    new Map(
      [...map]
        .map((entry) => [Number(numbers.next().value), entry] as const)
        .sort(([a], [b]) => a - b)
        .map(([, entry]) => entry),
    );
  return {
    nodes: shuffle(world.nodes),
    services: shuffle(world.services),
    tasks: shuffle(world.tasks),
    servers: shuffle(world.servers),
    networks: world.networks,
  };
}
