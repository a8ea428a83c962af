import { expect, test } from "vitest";
import type { Canary } from "../../../src/domain/table/table.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused } from "./in-process-plane.ts";

const [main, next] = ["http://127.0.0.2:1", "http://127.0.0.3:1"] as const;

/** Numbers that look random and are the same each time. */
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

async function spread(plane: ReturnType<typeof mesh>, count: number, headers: Record<string, string> = {}) {
  let toNext = 0;
  for (let i = 0; i < count; i += 1)
    toNext += Number((await (await plane.send({ headers })).text()) === next);
  return toNext;
}

test.each([0, 10, 50, 100])("[W18] a canary of %d% gets that share of the requests", async (percent) => {
  const count = await spread(mesh({ percent }), 2_000);
  // Four standard deviations.
  const most = 4 * Math.sqrt(20 * percent * (1 - percent / 100));
  expect(Math.abs(count - 20 * percent)).toBeLessThanOrEqual(most);
});

test("[W18] a header decides before a cookie, a cookie before the share", async () => {
  const rules = { header: { name: "x-canary" }, cookie: { name: "beta" } };
  const [no, yes] = [mesh({ ...rules, percent: 0 }), mesh({ ...rules, percent: 100 })];
  expect(await spread(no, 3, { "x-canary": "always" })).toBe(3);
  expect(await spread(yes, 3, { "x-canary": "never" })).toBe(0);
  expect(await spread(no, 3, { "x-canary": "never", cookie: "beta=always" })).toBe(0);
  expect(await spread(no, 3, { cookie: "beta=always" })).toBe(3);
  expect(await spread(yes, 3, { cookie: "a=1; beta=never" })).toBe(0);
  expect(await spread(yes, 3, { "x-canary": "whatever" })).toBe(3);
});

test("[W18] with a value, that value goes to the canary and others say nothing", async () => {
  const plane = mesh({ header: { name: "x-canary", value: "1" }, cookie: { name: "beta", value: "2" } });
  expect(await spread(plane, 2, { "x-canary": "1" })).toBe(2);
  expect(await spread(plane, 2, { "x-canary": "always" })).toBe(0);
  expect(await spread(plane, 2, { cookie: "beta=2" })).toBe(2);
});

test("[W18] any other value of the cookie decides by its hash, so that a user stays on one side", async () => {
  const plane = mesh({ percent: 30, cookie: { name: "user" } });
  let users = 0;
  for (let user = 0; user < 300; user += 1) {
    const count = await spread(plane, 3, { cookie: `user=u${user}` });
    expect([0, 3]).toContain(count);
    users += count / 3;
  }
  expect(users).toBeGreaterThan(60);
  expect(users).toBeLessThan(120);
});

test("[W18] a client that stays, stays on the side it came to", async () => {
  const plane = mesh({ percent: 50, header: { name: "x-canary" } }, { sticky: true });
  const sides = new Set<string>();
  for (let client = 0; client < 12; client += 1) {
    const first = await plane.send();
    const [cookie = ""] = first.headers.getSetCookie()[0]?.split(";") ?? [];
    const side = await first.text();
    sides.add(side);
    expect(await spread(plane, 4, { cookie })).toBe(side === next ? 4 : 0);
    expect(await spread(plane, 1, { cookie, "x-canary": "always" })).toBe(1);
  }
  expect([...sides].sort()).toEqual([main, next]);
});

test("[W18] a canary with no live task, or that is not there, gets nothing", async () => {
  expect(await spread(mesh({ percent: 100 }, { tasks: [] }), 3)).toBe(0);
  expect(await spread(mesh({ service: "typo", percent: 100 }), 3)).toBe(0);
  expect(await spread(mesh({ service: "my-web", percent: 100 }), 3)).toBe(0);
});

test("[W18] the answer tells which service it came from, and whose canary that is", async () => {
  const plane = mesh({ percent: 100 });
  const { headers } = await plane.send({
    entry: { mayDebug: () => true },
    headers: { "x-waggle-debug": "1" },
  });
  expect([headers.get("x-waggle-service"), headers.get("x-waggle-canary-of")]).toEqual(["next", "my-web"]);
});

test("[W18] a request sent again with a fresher table stays on its side", async () => {
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
