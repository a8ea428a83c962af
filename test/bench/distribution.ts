// The cost of the routing table's way to routers: the registry with the part of its object that holds their calls,
// without the platform's RPC.

import { gunzipSync } from "node:zlib";
import type { Task } from "../../src/domain/model/task.ts";
import { applyTableChange } from "../../src/domain/table/apply-change.ts";
import { readableTableFormats, readTable } from "../../src/domain/table/text.ts";
import type { RouterCall, RouterReply } from "../../src/registry/api.ts";
import { RouterExchange } from "../../workers/router-exchange.ts";
import { RouterWaits } from "../../workers/router-waits.ts";
import { healthy } from "../support/world.ts";
import type { TestMesh } from "../unit/registry/harness.ts";

const routers = 5_000;

type NamedRow = { readonly name: string; readonly text: string };

/** @param tasks two of the table, which turn unhealthy */
export async function distributionRows(
  mesh: TestMesh,
  [first, second]: readonly [Task, Task],
): Promise<readonly NamedRow[]> {
  const { registry } = mesh;
  const waits = new RouterWaits(registry);
  const exchange = new RouterExchange({ registry, waits, counters: null, run: (work) => work() });
  const callAll = (change: Partial<RouterCall>): Promise<RouterReply>[] =>
    Array.from({ length: routers }, (_, n) =>
      exchange.answer({
        routerId: `router${n}`,
        afterVersion: -1,
        formats: readableTableFormats,
        waitMs: 0,
        counters: null,
        ...change,
      }),
    );
  const turnUnhealthy = (task: Task) => {
    mesh.report(task, { health: { ...healthy, verdict: "unhealthy", sinceMs: mesh.nowMs } });
    if (registry.takeEffects().tableVersion !== null) waits.wakeAll();
  };
  turnUnhealthy(first);
  const whole = await timed(() => registry.tableUpdate(-1));
  if (whole.value.table?.kind !== "whole") throw new Error("no whole table");
  const { version } = whole.value;
  await Promise.all(callAll({ afterVersion: version }));
  const idle = await timed(() => Promise.all(callAll({ afterVersion: version })));
  const waiting = callAll({ afterVersion: version, waitMs: 25_000 });
  const woken = await timed(() => {
    turnUnhealthy(second);
    return Promise.all(waiting);
  });
  const update = woken.value[0]?.table;
  if (update?.kind !== "change") throw new Error("no change");
  const back = await timed(() => callAll({ afterVersion: version + 1, waitMs: 25_000 }));
  waits.wakeAll();
  await Promise.all(back.value);
  const text = String(gunzipSync(whole.value.table.gzip));
  const read = await timed(() => readTable(text));
  const applied = await timed(() => applyTableChange(read.value, update.text));
  const again = await timed(() => applyTableChange(read.value, update.text));
  return [
    { name: "the whole table as gzip, ms", text: whole.ms.toFixed(1) },
    { name: "the whole table as gzip, KiB", text: (whole.value.table.gzip.length / 1_024).toFixed(0) },
    { name: "one task's change, bytes", text: String(update.text.length) },
    { name: "a call without news, one of 5,000 routers, ms", text: (idle.ms / routers).toFixed(3) },
    { name: "a change, and waking 5,000 waiting routers, ms", text: woken.ms.toFixed(0) },
    { name: "their next calls, which wait, ms", text: back.ms.toFixed(0) },
    { name: "in a router: reading the whole table, ms", text: read.ms.toFixed(1) },
    { name: "in a router: applying the first change, ms", text: applied.ms.toFixed(1) },
    { name: "in a router: applying a further change, ms", text: again.ms.toFixed(2) },
  ];
}

/** CPU time of this thread, so that other work on the machine counts little. */
async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const started = process.threadCpuUsage();
  const value = await work();
  const { user, system } = process.threadCpuUsage(started);
  return { value, ms: (user + system) / 1_000 };
}
