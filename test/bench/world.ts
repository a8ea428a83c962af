// Deciding for a large world: 1,000 nodes, 1,000 services, 10,000 tasks. The baseline is copying that world's tasks,
// the least any decision about all of them must do.

import { compileTable } from "../../src/domain/compile/compile-table.ts";
import type { World } from "../../src/domain/model/world.ts";
import { applyPlan } from "../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../src/domain/orchestrator/reconcile.ts";
import { printTable, readTable } from "../../src/domain/table/text.ts";
import { aNode, aService, ids, now } from "../support/world.ts";
import { formatSpread, printRows, type Spread, spreadOf, timed } from "./report.ts";

const nodes = 1_000;
const services = 1_000;
const replicas = 10;
const runs = 15;

/** Times each decision on the settled world and prints it. */
export async function benchWorld(): Promise<void> {
  const world = settled();
  const newId = ids("z");
  const at = { nowMs: now + 1_000, newId };
  const table = compileTable(world, 1);
  const text = printTable(table);
  const lost = withoutOneNode(world);
  const copy = spreadOf(
    await timed(runs, () => new Map([...world.tasks].map(([id, task]) => [id, { ...task }]))),
  );
  const row = async (name: string, work: () => unknown): Promise<string[]> =>
    line(name, spreadOf(await timed(runs, work)), copy);
  printRows(
    `World: ${nodes} nodes, ${services} services, ${world.tasks.size} tasks; milliseconds, median (min–max) of ${runs}`,
    [
      ["work", "ms", "x of copying the tasks"],
      line("copy the tasks (baseline)", copy, copy),
      await row("reconcile, settled", () => reconcile(world, at)),
      await row("reconcile, one node lost", () => reconcile(lost, at)),
      await row("compile the table", () => compileTable(world, 1)),
      await row("print the table", () => printTable(table)),
      await row("read the table", () => readTable(text)),
    ],
  );
  console.log(`  table: ${(Buffer.byteLength(text) / 1024).toFixed(0)} KiB`);
}

function line(name: string, figures: Spread, baseline: Spread): string[] {
  return [name, formatSpread(figures, 1), (figures.median / baseline.median).toFixed(1)];
}

/** A world as it is after its services were created and all their tasks run. */
function settled(): World {
  const newId = ids();
  const world: World = {
    nodes: byId(
      Array.from({ length: nodes }, (_, index) =>
        aNode({ id: newId(), hostname: `node${index}`, address: `n${index}.example.com` }),
      ),
    ),
    services: byId(
      Array.from({ length: services }, (_, index) =>
        aService(
          {
            name: `service${index}`,
            replicas,
            ports: [{ target: 80, published: 1_000 + index, mode: "ingress" }],
          },
          { id: newId(), ports: [{ target: 80, published: 1_000 + index, mode: "ingress" }] },
        ),
      ),
    ),
    tasks: new Map(),
    servers: new Map(),
  };
  const placed = applyPlan(world, reconcile(world, { nowMs: now, newId }));
  const tasks = [...placed.tasks.values()].map((task, index) => ({
    ...task,
    state: "running" as const,
    endpoints: [{ target: 80, origin: `http://n${index % nodes}.example.com:${30_000 + (index % 10_000)}` }],
  }));
  return { ...placed, tasks: byId(tasks) };
}

function withoutOneNode(world: World): World {
  const [first] = world.nodes.values();
  if (first === undefined) throw new Error("a world without nodes");
  return { ...world, nodes: new Map(world.nodes).set(first.id, { ...first, state: "down" }) };
}

function byId<T extends { readonly id: string }>(things: readonly T[]): ReadonlyMap<string, T> {
  return new Map(things.map((thing) => [thing.id, thing]));
}
