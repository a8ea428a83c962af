import { expect, test } from "vitest";
import type { Canary } from "../../../src/domain/table/table.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused } from "./in-process-plane.ts";

const [main, next] = ["http://127.0.0.2:1", "http://127.0.0.3:1"] as const;

/** Pseudorandom numbers, the same in each run. */
function numbers(): () => number {
  let state = 7;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

function mesh(canary: Partial<Canary>, { sticky = false, tasks = [next] as string[] } = {}) {
  const options = { canary: { service: "next", percent: 0, ...canary }, ...(sticky && { sticky: "SRV" }) };
  const table = tableOf(1, serviceOf("my-web", 8080, [main], { options }), serviceOf("next", 9090, tasks));
  return inProcessPlane(table, {}, { random: numbers() });
}

/** How many of `count` requests the canary gets. */
async function sentToCanary(
  plane: ReturnType<typeof mesh>,
  count: number,
  headers: Record<string, string> = {},
) {
  let toNext = 0;
  for (let i = 0; i < count; i += 1)
    toNext += Number((await (await plane.send({ headers })).text()) === next);
  return toNext;
}

test.each([0, 10, 50, 100])("[W18] a canary of %d% gets that share of the requests", async (percent) => {
  const count = await sentToCanary(mesh({ percent }), 2_000);
  // Four standard deviations.
  const maxDeviation = 4 * Math.sqrt(20 * percent * (1 - percent / 100));
  expect(Math.abs(count - 20 * percent)).toBeLessThanOrEqual(maxDeviation);
});

test("[W18] the header decides first, then the cookie, then the share", async () => {
  const rules = { header: { name: "x-canary" }, cookie: { name: "beta" } };
  const [none, all] = [mesh({ ...rules, percent: 0 }), mesh({ ...rules, percent: 100 })];
  expect(await sentToCanary(none, 3, { "x-canary": "always" })).toBe(3);
  expect(await sentToCanary(all, 3, { "x-canary": "never" })).toBe(0);
  expect(await sentToCanary(none, 3, { "x-canary": "never", cookie: "beta=always" })).toBe(0);
  expect(await sentToCanary(none, 3, { cookie: "beta=always" })).toBe(3);
  expect(await sentToCanary(all, 3, { cookie: "a=1; beta=never" })).toBe(0);
  expect(await sentToCanary(all, 3, { "x-canary": "whatever" })).toBe(3);
});

test("[W18] a rule with a value sends that value to the canary and ignores others", async () => {
  const plane = mesh({ header: { name: "x-canary", value: "1" }, cookie: { name: "beta", value: "2" } });
  expect(await sentToCanary(plane, 2, { "x-canary": "1" })).toBe(2);
  expect(await sentToCanary(plane, 2, { "x-canary": "always" })).toBe(0);
  expect(await sentToCanary(plane, 2, { cookie: "beta=2" })).toBe(2);
});

test("[W18] any other cookie value decides by its hash, so that a user stays on one side", async () => {
  const plane = mesh({ percent: 30, cookie: { name: "user" } });
  let users = 0;
  for (let user = 0; user < 300; user += 1) {
    const count = await sentToCanary(plane, 3, { cookie: `user=u${user}` });
    expect([0, 3]).toContain(count);
    users += count / 3;
  }
  expect(users).toBeGreaterThan(60);
  expect(users).toBeLessThan(120);
});

test("[W18] a client with a sticky cookie stays on its side", async () => {
  const plane = mesh({ percent: 50, header: { name: "x-canary" } }, { sticky: true });
  const sides = new Set<string>();
  for (let client = 0; client < 12; client += 1) {
    const first = await plane.send();
    const [cookie = ""] = first.headers.getSetCookie()[0]?.split(";") ?? [];
    const side = await first.text();
    sides.add(side);
    expect(await sentToCanary(plane, 4, { cookie })).toBe(side === next ? 4 : 0);
    expect(await sentToCanary(plane, 1, { cookie, "x-canary": "always" })).toBe(1);
  }
  expect([...sides].sort()).toEqual([main, next]);
});

test("[W18] a canary without a live task, or that does not exist, gets no requests", async () => {
  expect(await sentToCanary(mesh({ percent: 100 }, { tasks: [] }), 3)).toBe(0);
  expect(await sentToCanary(mesh({ service: "typo", percent: 100 }), 3)).toBe(0);
  expect(await sentToCanary(mesh({ service: "my-web", percent: 100 }), 3)).toBe(0);
});

test("[W18] debug headers name the canary and the service it belongs to", async () => {
  const plane = mesh({ percent: 100 });
  const { headers } = await plane.send({
    entry: { mayDebug: () => true },
    headers: { "x-waggle-debug": "1" },
  });
  expect([headers.get("x-waggle-service"), headers.get("x-waggle-canary-of")]).toEqual(["next", "my-web"]);
});

test("[W18] a request retried with a fresh table stays on its side", async () => {
  const options = { canary: { service: "next", percent: 50 } };
  const services = [serviceOf("my-web", 8080, [main], { options }), serviceOf("next", 9090, [next])] as const;
  const plane = inProcessPlane(
    tableOf(1, ...services),
    { [main]: refused, [next]: refused },
    { random: numbers() },
  );
  for (let i = 0; i < 8; i += 1) {
    const before = plane.received.length;
    plane.state.table = tableOf(2 + i, ...services);
    plane.state.nowMs += 200;
    await plane.send();
    expect(new Set(plane.origins().slice(before)).size).toBe(1);
  }
});
