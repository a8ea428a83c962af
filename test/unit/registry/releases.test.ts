// Tables as releases have written them, recorded by test/fixtures/record-state.ts.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Registry } from "../../../src/registry/registry.ts";
import { registrySchema } from "../../../src/registry/schema.ts";
import { RegistryStore } from "../../../src/registry/store.ts";
import { migrate } from "../../../src/storage/migrations.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { ids } from "../../support/world.ts";
import { machine } from "./harness.ts";

const folder = new URL("../../fixtures/registry/", import.meta.url);
const steps = readdirSync(folder)
  .map((name) => Number(/^step-(\d+)\.sql$/.exec(name)?.[1]))
  .sort((a, b) => a - b);
const newestStep = Math.max(...registrySchema.migrations.map(({ number }) => number));

function recorded(step: number) {
  const script = readFileSync(new URL(`step-${step}.sql`, folder), "utf8");
  const database = memoryDatabase(script);
  const token = /^-- The operator's token: (\S+)$/m.exec(script)?.[1] ?? "";
  const [last] = database.exec("SELECT max(at_ms) AS at_ms FROM event_log");
  const nowMs = Number(last?.at_ms) + 1_000;
  const newId = ids("new");
  const registry = new Registry(new RegistryStore(database), {
    clock: () => nowMs,
    newId,
    newSecret: (length) => newId().padStart(length, "0"),
    sealSecret: token,
    addresses: { mode: "local", nodeAddresses: [], ownSockets: [], hasTunnel: false, hasVpc: false },
    meshName: "waggle",
    regions: ["weur"],
  });
  return { database, registry };
}

test("[M201] the tables of the newest step are recorded", () => {
  expect(
    steps,
    `run: node test/fixtures/record-state.ts > test/fixtures/registry/step-${newestStep}.sql`,
  ).toContain(newestStep);
});

describe.each(steps)("tables of step %i", (step) => {
  test("[M201] a registry opens them with everything, and keeps running tasks", () => {
    const { database, registry } = recorded(step);
    const stored = database.exec("SELECT body FROM tasks").map(({ body }) => JSON.parse(String(body)));
    registry.start(new Set());
    expect(
      registry
        .nodes()
        .map(({ hostname, availability }) => [hostname, availability])
        .sort(),
    ).toEqual([
      ["node1", "active"],
      ["node2", "active"],
      ["node3", "drain"],
    ]);
    const services = registry.services();
    expect(services.map(({ spec, running }) => [spec.name, running]).sort()).toEqual([
      ["everywhere", 2],
      ["stuck", 0],
      ["web", 2],
    ]);
    const tasks = registry.tasks({});
    expect(tasks.ok && tasks.value.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(
      stored.map(({ id, state }) => `${id} ${state}`).sort(),
    );
    const servers = registry.servers("web");
    expect(servers.ok && servers.value.map(({ spec }) => spec.name)).toEqual(["legacy"]);
    const { worker } = registry.joinTokens();
    const digest = database.exec("SELECT value FROM meta WHERE key = 'joinDigest'")[0]?.value;
    expect(worker).toContain(`SWMTKN-1-${digest}`);
    if (step < 8) return;
    const config = registry.dependency("config", "settings");
    expect(config.ok && config.value.data).toBe(Buffer.from("value").toString("base64"));
    expect(registry.networks().map(({ name }) => name)).toEqual(["ingress", "shop"]);
  });

  test("[M201] changes go on: a node says hello, and a service is scaled on it", () => {
    const { registry } = recorded(step);
    registry.start(new Set());
    const [node] = registry.nodes();
    const web = registry.services().find(({ spec }) => spec.name === "web");
    if (node === undefined || web === undefined) throw new Error("no node or service");
    const message = { type: "hello" as const, node: machine(node.hostname, node.address), tasks: [] };
    registry.agents.receiveAll([{ nodeId: node.id, parsed: { ok: true, message }, client: null }]);
    const spec = { ...web.spec, mode: { kind: "replicated", replicas: 5 } as const };
    const { document } = web;
    expect(registry.updateService(web.id, web.version, { spec, document }, "operator")).toMatchObject({
      ok: true,
    });
    expect(registry.services().find(({ id }) => id === web.id)?.desiredTasks).toBe(5);
  });
});

test("[M200] the release before the newest step runs on its tables, and the newest runs on them again", () => {
  const { database, registry } = recorded(newestStep);
  const readable = registrySchema.migrations.find(({ number }) => number === newestStep)?.readableFrom ?? 0;
  const earlier = registrySchema.migrations.filter(({ number }) => number <= readable);
  migrate(database, { ...registrySchema, migrations: earlier }, 0);
  registry.start(new Set());
  expect(registry.services()).toHaveLength(3);
});
