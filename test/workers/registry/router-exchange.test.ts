// Calls of routers at the registry object in workerd.

import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { applyTableChange } from "../../../src/domain/table/apply-change.ts";
import { readableTableFormats, readTable } from "../../../src/domain/table/text.ts";
import { unzip } from "../../../src/proxy/routing/sealed-copy.ts";
import type { MeshApi, RouterCall, RouterExchangeApi, RouterReply } from "../../../src/registry/api.ts";
import type { WatchNotice } from "../../../workers/counter-forwarder.ts";
import { MeshTelemetry } from "../../../workers/telemetry.ts";
import { aSpec } from "../../support/world.ts";

type TestRegistry = MeshApi & RouterExchangeApi;

let meshCount = 0;

function newMesh(): TestRegistry {
  meshCount += 1;
  return env.REGISTRY.getByName(`router-exchange-${meshCount}`) as unknown as TestRegistry;
}

function exchange(mesh: TestRegistry, call: Partial<RouterCall>): Promise<RouterReply> {
  return mesh.exchange({
    routerId: "router1",
    afterVersion: -1,
    formats: readableTableFormats,
    waitMs: 0,
    counters: null,
    callerMs: Date.now(),
    ...call,
  });
}

async function createService(mesh: MeshApi, name: string): Promise<void> {
  const spec = aSpec({ name, replicas: 0, ports: [{ target: 80, mode: "ingress" }] });
  const created = await mesh.createService({ spec, document: {} }, "operator");
  expect(created.ok).toBe(true);
}

async function wholeText({ table }: RouterReply): Promise<string> {
  if (table?.kind !== "whole") throw new Error(`not a whole table: ${JSON.stringify(table)}`);
  return unzip(table.gzip as Uint8Array<ArrayBuffer>);
}

test("[M180] a router without a table gets the whole one at once, with the keys", async () => {
  const mesh = newMesh();
  await createService(mesh, "my-web");
  const reply = await exchange(mesh, { waitMs: 25_000 });
  const table = readTable(await wholeText(reply));
  expect(table.version).toBe(reply.version);
  expect(table.services.map(({ name }) => name)).toEqual(["my-web"]);
  expect(reply.cookieKey).toHaveLength(50);
  expect(reply.gatewayKeys).toHaveLength(1);
});

test("[M180] a call with the current version waits, and is answered when the version rises", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  let isAnswered = false;
  const waiting = exchange(mesh, { afterVersion: version, waitMs: 25_000 }).finally(() => {
    isAnswered = true;
  });
  await mesh.info();
  expect(isAnswered).toBe(false);
  await createService(mesh, "my-web");
  expect((await waiting).version).toBeGreaterThan(version);
});

test("[M180] when the wait is over, the reply has no table and no keys", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const reply = await exchange(mesh, { afterVersion: version, waitMs: 50 });
  expect(reply).toEqual({ version, table: null, counted: true, isWatched: false });
});

test("[R12] a router that reads no format of this registry is refused with the formats of both", async () => {
  const mesh = newMesh();
  await createService(mesh, "my-web");
  const reply = await exchange(mesh, { formats: [9, 8], waitMs: 25_000 });
  expect(reply).toMatchObject({
    table: null,
    refusal: expect.stringContaining("format 3, and this router reads 9, 8"),
  });
  expect(reply).not.toHaveProperty("cookieKey");
});

test("[M181] a router that has an earlier version gets what changed since", async () => {
  const mesh = newMesh();
  await createService(mesh, "my-web");
  let held = readTable(await wholeText(await exchange(mesh, {})));
  for (const name of ["api", "shop"]) {
    const waiting = exchange(mesh, { afterVersion: held.version, waitMs: 25_000 });
    await mesh.info();
    await createService(mesh, name);
    const { version, table, gatewayKeys } = await waiting;
    expect(table?.kind).toBe("change");
    expect(gatewayKeys).toHaveLength(1);
    held = applyTableChange(held, table?.kind === "change" ? table.text : "");
    expect(held.version).toBe(version);
  }
  expect(held.services.map(({ name }) => name)).toEqual(["api", "my-web", "shop"]);
  // Versions that the registry does not know.
  expect((await exchange(mesh, { afterVersion: 0 })).table?.kind).toBe("whole");
  expect(await exchange(mesh, { afterVersion: 99, waitMs: 25_000 })).toMatchObject({ table: null });
});

test("[M184] new keys end the wait, although the table is the same", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const waiting = exchange(mesh, { afterVersion: version, waitMs: 25_000 });
  await mesh.info();
  await mesh.rotateGatewayKey("operator");
  const reply = await waiting;
  expect(reply).toMatchObject({ version, table: null });
  expect(reply.gatewayKeys).toHaveLength(2);
});

test("[M185] a second call of a router ends the wait of its first", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const first = exchange(mesh, { afterVersion: version, waitMs: 25_000 });
  await mesh.info();
  const second = exchange(mesh, { afterVersion: version, waitMs: 25_000 });
  expect((await first).table).toBeNull();
  await createService(mesh, "my-web");
  expect((await second).table?.kind).toBe("change");
});

test("[M186] counters are counted once, and the reply says so", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const isolate = `isolate-${meshCount}`;
  const counters = JSON.stringify({ isolate, seq: 1, colo: "FRA", tasks: [], entries: [] });
  const telemetry = vi.spyOn(MeshTelemetry.prototype, "countAll");
  const reply = await exchange(mesh, { afterVersion: version, counters: { seq: 1, text: counters } });
  expect(reply.counted).toBe(true);
  const sent = telemetry.mock.calls.flatMap(([deltas]) => deltas).filter((delta) => delta.includes(isolate));
  expect(sent).toEqual([counters]);
});

test("[M187] counters on their way when there is a newer table are not sent twice, and the next reply confirms them", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const isolate = `isolate-${meshCount}`;
  const counters = JSON.stringify({ isolate, seq: 1, colo: "FRA", tasks: [], entries: [] });
  const telemetry = vi.spyOn(MeshTelemetry.prototype, "countAll");
  const first = exchange(mesh, {
    afterVersion: version,
    waitMs: 25_000,
    counters: { seq: 1, text: counters },
  });
  await mesh.info();
  await createService(mesh, "my-web");
  const reply = await first;
  expect([reply.table?.kind, reply.counted]).toEqual(["change", false]);
  // As a router sends them again: with the time at which it does.
  const again = { seq: 1, text: `${counters} ` };
  const next = await exchange(mesh, { afterVersion: reply.version, counters: again });
  expect(next.counted).toBe(true);
  const sent = telemetry.mock.calls.flatMap(([deltas]) => deltas).filter((delta) => delta.includes(isolate));
  expect(sent).toEqual([counters]);
});

test("[M188] a read of live telemetry ends the waits, and the routers learn that it is watched", async () => {
  const mesh = newMesh();
  const { version } = await exchange(mesh, {});
  const waiting = exchange(mesh, { afterVersion: version, waitMs: 25_000 });
  await mesh.info();
  await (mesh as unknown as WatchNotice).telemetryWatched();
  expect(await waiting).toMatchObject({ version, table: null, isWatched: true });
});
