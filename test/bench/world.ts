// The benchmark of the orchestrator and the routing table for 1,000 nodes, 1,000 services and 10,000 tasks.
// The baseline copies the tasks, the minimum work of any decision about all of them.

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

/** Measures each operation on the settled world and prints the results. */
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
    `World: ${nodes} nodes, ${services} services, ${world.tasks.size} tasks; ${runs} runs: median (minimum–maximum)`,
    [
      ["work", "ms", "× copying the tasks"],
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

function line(name: string, spread: Spread, baseline: Spread): string[] {
  return [name, formatSpread(spread, 1), (spread.median / baseline.median).toFixed(1)];
}

/** A world whose services were created and whose tasks all run. */
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
    networks: new Map(),
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

function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}
