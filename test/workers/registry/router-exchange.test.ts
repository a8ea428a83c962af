// Calls of routers at the registry object in workerd.

import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { readableTableFormats, readTable } from "../../../src/domain/table/text.ts";
import type { MeshApi, RouterCall, RouterExchangeApi, RouterReply } from "../../../src/registry/api.ts";
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
  const stream = new Blob([table.gzip as Uint8Array<ArrayBuffer>]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
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
  await expect(exchange(newMesh(), { formats: [9, 8] })).rejects.toThrow(
    "prints routing tables of format 3, and this router reads 9, 8",
  );
});
