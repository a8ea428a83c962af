import {
  abortAllDurableObjects,
  createExecutionContext,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { type Result, unwrap } from "../../../src/domain/model/error.ts";
import type { Service } from "../../../src/domain/model/service.ts";
import control from "../../../workers/control.ts";
import type { MeshTelemetry } from "../../../workers/telemetry.ts";
import { until } from "../../support/until.ts";
import { aSpec } from "../../support/world.ts";
import { delta, entryDelta, taskDelta } from "../../unit/telemetry/deltas.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

let objectCount = 0;
const one = { entries: [entryDelta({ requests: 1 }, [7])], tasks: [taskDelta({ attempts: 1 }, [7])] };

function newName(): string {
  objectCount += 1;
  return `telemetry ${objectCount}`;
}

const input = {
  spec: aSpec({ name: "scraped" }),
  document: { Name: "scraped" },
};

async function scrape(): Promise<string> {
  const request = new Request("https://control.test/metrics", {
    headers: { authorization: `Bearer ${env.OPERATOR_TOKEN}` },
  });
  const response = await control.fetch(request, env, createExecutionContext());
  expect(response.status).toBe(200);
  return response.text();
}

/** Requests of the service `scraped` in the metrics; null if absent. */
function requestsIn(text: string): number | null {
  const [, value] = /^waggle_requests_total\{service="scraped",.*code="2xx"\} (\d+)$/m.exec(text) ?? [];
  return value === undefined ? null : Number(value);
}

/** Resets the object: its memory is lost, and the counts that it did not save. */
async function reset(telemetry: DurableObjectStub<MeshTelemetry>): Promise<void> {
  await runInDurableObject(telemetry, (_object, context) => context.abort("reset by the test")).catch(
    () => undefined,
  );
}

async function requests(name: string): Promise<number> {
  const { services } = await env.TELEMETRY.getByName(name).snapshot({});
  return services[0]?.counts.requests ?? 0;
}

test("[J11] counts survive the eviction of the object once its alarm has run", async () => {
  const name = newName();
  const telemetry = env.TELEMETRY.getByName(name);
  for (let seq = 1; seq <= 3; seq += 1)
    expect(await telemetry.count(delta(seq, one))).toMatchObject({ value: true });
  expect(await runDurableObjectAlarm(telemetry)).toBe(true);
  await evictDurableObject(telemetry);
  expect(await requests(name)).toBe(3);
  expect(await env.TELEMETRY.getByName(name).count(delta(3, one))).toMatchObject({ value: false });
});

test("[J11] a reset loses only the counts since the last save", async () => {
  const name = newName();
  await env.TELEMETRY.getByName(name).count(delta(1, one));
  await env.TELEMETRY.getByName(name).count(delta(2, one));
  await abortAllDurableObjects();
  expect(await requests(name)).toBe(1);
  await env.TELEMETRY.getByName(name).count(delta(3, one));
  expect(await requests(name)).toBe(2);
});

test("[J11] a failed save is repeated", async () => {
  const name = newName();
  const telemetry = env.TELEMETRY.getByName(name);
  await telemetry.count(delta(1, one));
  await telemetry.count(delta(2, one));
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await runInDurableObject(telemetry, async (_object, { storage }) => {
    vi.spyOn(storage, "transactionSync").mockImplementationOnce(() => {
      throw new Error("the disk is gone");
    });
  });
  await runDurableObjectAlarm(telemetry);
  expect(log).toHaveBeenCalled();
  expect(await runDurableObjectAlarm(telemetry)).toBe(true);
  await evictDurableObject(telemetry);
  expect(await requests(name)).toBe(2);
});

test("[J12] an object with nothing to save sets no alarm", async () => {
  const telemetry = env.TELEMETRY.getByName(newName());
  await telemetry.count(delta(1, one));
  await telemetry.snapshot({});
  await runInDurableObject(telemetry, async (_object, { storage }) => {
    expect(await storage.getAlarm()).toBeNull();
  });
});

test("[J13] a malformed delta is answered with a problem, not an exception", async () => {
  const name = newName();
  expect(await env.TELEMETRY.getByName(name).count({ seq: -1 })).toMatchObject({ ok: false });
  expect(await env.TELEMETRY.getByName(name).count(delta(1, one))).toMatchObject({ ok: true });
});

test("[J14] the control Worker returns the telemetry object's snapshot", async () => {
  await env.TELEMETRY.getByName("mesh").count(delta(1, one));
  const request = new Request("https://control.test/mesh/telemetry?service=my-web", {
    headers: { authorization: `Bearer ${env.OPERATOR_TOKEN}` },
  });
  const response = await control.fetch(request, env, createExecutionContext());
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ services: [{ name: "my-web", counts: { requests: 1 } }] });
});

test("[J41] a scrape during a restart of the telemetry object is answered, and no reported counter ever decreases", async () => {
  await env.REGISTRY.getByName("mesh").info();
  const { id } = unwrap(
    (await env.REGISTRY.getByName("mesh").createService(input, "operator")) as Result<Service>,
  );
  const telemetry = () => env.TELEMETRY.getByName("mesh");
  const entries = [entryDelta({ requests: 1, responses2xx: 1 }, [7], { service: { id, name: "scraped" } })];
  let reported = 0;
  for (let round = 0; round < 10; round += 1) {
    // The object itself saves only the first one at once.
    for (const at of [1, 2, 3]) {
      const counted = await telemetry().count(delta(3 * round + at, { isolate: "scraped", entries }));
      expect(counted).toMatchObject({ ok: true });
    }
    const before = requestsIn(await scrape()) ?? 0;
    expect(before).toBe(reported + 3);
    const [during] = await Promise.all([
      scrape(),
      round % 2 === 0 ? reset(telemetry()) : evictDurableObject(telemetry()),
    ]);
    expect(during).toContain("\nwaggle_table_version ");
    if (during.includes("\nwaggle_telemetry_up 1\n")) expect(requestsIn(during)).toBe(before);
    reported = requestsIn(await scrape()) ?? 0;
    expect(reported).toBe(before);
  }
});

test("[J20] in workerd, metrics include the traffic", async () => {
  await env.REGISTRY.getByName("mesh").info();
  const request = new Request("https://control.test/metrics", {
    headers: { authorization: `Bearer ${env.OPERATOR_TOKEN}` },
  });
  const response = await control.fetch(request, env, createExecutionContext());
  const text = await response.text();
  expect([response.status, text.includes("\nwaggle_telemetry_up 1\n")]).toEqual([200, true]);
});

test("[J46] an object whose clock stands still ahead of its callers' saves and starts again, without losing a count", async () => {
  const name = newName();
  const telemetry = () => env.TELEMETRY.getByName(name);
  const stoppedMs = Date.now();
  const callerMs = stoppedMs - 30 * 60_000;
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const clock = vi.spyOn(Date, "now").mockReturnValue(stoppedMs);
  // The first one is saved at once, the second is not.
  expect(await telemetry().count(delta(1, one), stoppedMs)).toMatchObject({ value: true });
  expect(await telemetry().count(delta(2, one), stoppedMs)).toMatchObject({ value: true });
  // An `expect` of the call's own promise would leave another rejection unhandled.
  const outcome = await telemetry().count(delta(3, one), callerMs).catch(String);
  expect(outcome).toContain("starts again");
  clock.mockReturnValue(callerMs);
  // The isolate sends it again.
  const resent = () =>
    telemetry()
      .count(delta(3, one), callerMs)
      .catch(() => null);
  await until("the new object", async () => (await resent())?.ok === true);
  expect(await telemetry().count(delta(2, one), callerMs)).toMatchObject({ value: false });
  expect(await requests(name)).toBe(3);
});

test("[J46] an object whose clock runs does not start again for a caller whose delta was delayed", async () => {
  const name = newName();
  const nowMs = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(nowMs);
  for (const [seq, callerMs] of [
    [1, nowMs - 9_000],
    [2, nowMs - 9_000],
    [3, undefined],
    [4, nowMs + 30 * 60_000],
  ] as const) {
    expect(await env.TELEMETRY.getByName(name).count(delta(seq, one), callerMs)).toMatchObject({
      value: true,
    });
  }
  clock.mockReturnValue(nowMs + 1);
  expect(await env.TELEMETRY.getByName(name).count(delta(5, one), nowMs - 30 * 60_000)).toMatchObject({
    value: true,
  });
  expect(await requests(name)).toBe(5);
});
