// The prober's object in workerd, which checks a port of this machine that nothing listens on.

import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import {
  type PartialCheckSpec,
  type ServerSpec,
  serverDefaults,
  withCheckDefaults,
} from "../../../src/domain/model/server.ts";
import { serverStatus } from "../../../src/domain/model/server-health.ts";
import type { ServerView } from "../../../src/registry/api.ts";
import { registryOf } from "../../../workers/objects.ts";
import { until } from "../../support/until.ts";

/** The one registry of the Worker, which the prober calls. */
const mesh = () => registryOf(env);

function prober() {
  if (env.PROBER === undefined) throw new Error("wrangler.toml binds no prober");
  return env.PROBER.getByName("auto");
}

const fast = { interMs: 100, timeoutMs: 500 };

afterEach(async () => {
  vi.restoreAllMocks();
  await mesh().removeService("web", "operator");
  await until("the prober to be idle", async () => (await alarmOf()) === null);
});

/** Adds a static service with one server that refuses connections. */
async function addRefusingServer(words: PartialCheckSpec = fast): Promise<void> {
  const run = {
    image: "waggle/static",
    command: [],
    args: [],
    env: [],
    dir: "",
    stopSignal: "",
    stopGraceMs: 0,
  };
  const spec = {
    name: "web",
    labels: {},
    run: { ...run, targets: [80] },
    mode: { kind: "replicated", replicas: 0 },
    ports: [],
    constraints: [],
    maxPerNode: 0,
    reservations: { nanoCpus: 0, memoryBytes: 0 },
    restart: { condition: "any", maxAttempts: 0, windowMs: 0 },
    update: { parallelism: 1, order: "start-first" },
    forceUpdate: 0,
  } as const;
  const created = await mesh().createService({ spec, document: {} }, "operator");
  if (!created.ok) throw new Error(created.problem.message);
  const added = await mesh().addServer("web", { spec: refusing(words), admin: "ready" }, "operator");
  if (!added.ok) throw new Error(added.problem.message);
}

/** A server at port 9 of this machine (discard), which nothing serves. */
function refusing(words: PartialCheckSpec = fast): ServerSpec {
  return {
    ...serverDefaults,
    name: "node1",
    host: "127.0.0.1",
    port: 9,
    check: withCheckDefaults(words, { tls: false }),
  };
}

async function server(): Promise<ServerView> {
  const found = await mesh().servers("web");
  const only = found.ok ? found.value[0] : undefined;
  if (only === undefined) throw new Error("no server");
  return only;
}

async function statusIs(text: string): Promise<void> {
  await until(`the server to be ${text}`, async () => serverStatus(await server()) === text);
}

function alarmOf(): Promise<number | null> {
  return runInDurableObject(prober(), (_object, { storage }) => storage.getAlarm());
}

test("[F29] a server that refuses is down after its first check, with the reason", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  const { health } = await server();
  expect(health).toMatchObject({ up: false, downs: 1, fails: 1, last: { word: "L4CON", code: null } });
  const events = await mesh().events(0, 1_000);
  expect(events.filter(({ action }) => action === "server.down")).toHaveLength(1);
});

test("[F29] checks continue after an eviction of the prober, with the list and the counters that it had", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  await evictDurableObject(prober());
  const stored = await runInDurableObject(prober(), (_object, { storage }) => {
    return storage.sql
      .exec("SELECT body FROM counters")
      .toArray()
      .map(({ body }) => JSON.parse(String(body)));
  });
  expect(stored).toMatchObject([{ counter: 0, fails: 1 }]);
  const updated = await mesh().updateServer("web/node1", null, refusing({ ...fast, rise: 5 }), "operator");
  expect(updated.ok).toBe(true);
  await until("a check after the eviction", async () => (await server()).health?.last?.word === "L4CON");
});

test("[F29] checks continue after a reset during a check: the alarm is never lost", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  await abortAllDurableObjects();
  await mesh().setAdmin({ kind: "server", ref: "web/node1" }, "maint", "operator");
  await statusIs("MAINT");
  await abortAllDurableObjects();
  await mesh().setAdmin({ kind: "server", ref: "web/node1" }, "ready", "operator");
  await statusIs("DOWN");
  expect(await alarmOf()).not.toBeNull();
});

test("[F43] a server can be changed and removed while its prober does not respond", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  await runInDurableObject(env.REGISTRY.getByName("mesh"), (object) => {
    const stuck = { getByName: () => ({ wake: () => new Promise(() => undefined) }) };
    Object.defineProperty(object, "env", { value: { ...env, PROBER: stuck } });
  });
  expect(
    await mesh().updateServer("web/node1", null, refusing({ ...fast, rise: 5 }), "operator"),
  ).toMatchObject({
    ok: true,
    value: { version: 2 },
  });
  expect(await mesh().removeServer("web/node1", "operator")).toMatchObject({ ok: true });
  expect(await mesh().servers("web")).toMatchObject({ ok: true, value: [] });
  await abortAllDurableObjects();
  await runInDurableObject(prober(), (object) => object.wake("auto"));
});

test("[F29] the next report makes up for a lost wake-up", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  await runInDurableObject(prober(), (object) => object.wake("auto"));
  await mesh().setAdmin({ kind: "server", ref: "web/node1" }, "drain", "operator");
  await mesh().setAdmin({ kind: "server", ref: "web/node1" }, "maint", "operator");
  await until("the checks to end", async () => (await alarmOf()) === null);
  expect(serverStatus(await server())).toBe("MAINT");
});

test("[F29] a prober with nothing to check sets no alarm", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  await mesh().removeServer("web/node1", "operator");
  await until("the checks to end", async () => (await alarmOf()) === null);
});

test("[J47] a prober whose clock stands still ahead of the registry's starts again, and goes on checking", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  const stoppedMs = Date.now();
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const clock = vi.spyOn(Date, "now").mockReturnValue(stoppedMs);
  // An `expect` of the call's own promise would leave another rejection unhandled.
  const outcome = await prober()
    .wake("auto", stoppedMs - 30 * 60_000)
    .catch(String);
  expect(outcome).toContain("starts again");
  clock.mockRestore();
  await prober().wake("auto", Date.now());
  expect(
    await mesh().updateServer("web/node1", null, refusing({ ...fast, rise: 5 }), "operator"),
  ).toMatchObject({
    ok: true,
  });
  await until("a check", async () => (await server()).health?.last?.word === "L4CON");
});

test("[J47] a registry whose clock was set back wakes the probers, and again if the first call fails", async () => {
  await addRefusingServer();
  await statusIs("DOWN");
  const calls: unknown[] = [];
  const now = Date.now;
  await runInDurableObject(env.REGISTRY.getByName("mesh"), async (object) => {
    const wake = async (...call: unknown[]) => {
      calls.push(call);
      if (calls.length === 1) throw new Error("the prober starts again");
    };
    Object.defineProperty(object, "env", { value: { ...env, PROBER: { getByName: () => ({ wake }) } } });
    vi.spyOn(Date, "now").mockImplementation(() => now() - 30 * 60_000);
    object.info();
    await until("two calls", () => calls.length === 2);
  });
  for (const call of calls) {
    expect(call).toEqual(["auto", expect.any(Number)]);
    expect((call as [string, number])[1]).toBeLessThan(now() - 29 * 60_000);
  }
  vi.restoreAllMocks();
  await abortAllDurableObjects();
  await prober().wake("auto");
});
