import fc from "fast-check";
import { expect, test } from "vitest";
import type { TableOptions } from "../../../src/domain/table/table.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { until } from "../../support/until.ts";
import { inProcessPlane, refused, type Task } from "./in-process-plane.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1"];

/** Tasks that answer when told to, and how many requests each has at a time. */
class Tasks {
  readonly open = new Map<string, number>();
  most = 0;
  readonly waiting: (() => void)[] = [];

  readonly task =
    (origin: string): Task =>
    () =>
      new Promise((resolve) => {
        const now = (this.open.get(origin) ?? 0) + 1;
        this.open.set(origin, now);
        this.most = Math.max(this.most, now);
        this.waiting.push(() => {
          this.open.set(origin, (this.open.get(origin) ?? 0) - 1);
          resolve(new Response(origin));
        });
      });

  /** Lets the request that came first be answered. */
  answer(): void {
    this.waiting.shift()?.();
  }
}

function mesh(options: TableOptions, tasks = new Tasks(), many = 2) {
  const used = origins.slice(0, many);
  const answers = Object.fromEntries(used.map((origin) => [origin, tasks.task(origin)]));
  const table = tableOf(1, serviceOf("my-web", 8080, used, { options }));
  // No hedges: what is counted here are the client's requests.
  return { tasks, plane: inProcessPlane(table, answers, { nowMs: Date.now, headTimeoutMs: 20_000 }) };
}

test("[W16] a task gets no more open requests than it may have, and the rest wait in their order", async () => {
  const { plane, tasks } = mesh({ maxconn: 2 });
  const done: number[] = [];
  const asked = Array.from({ length: 7 }, async (_, index) => {
    const response = await plane.send({ method: "POST" });
    done.push(index);
    return response.status;
  });
  await until("four are at the tasks", async () => tasks.waiting.length === 4);
  await until(
    "three wait",
    async () => plane.plane.queue.length(serviceOf("my-web", 1, []).id, Date.now()) === 3,
  );
  for (let left = 7; left > 0; left -= 1) {
    await until("a request is at a task", async () => tasks.waiting.length > 0);
    tasks.answer();
    await until("it is answered", async () => done.length === 8 - left);
  }
  expect(await Promise.all(asked)).toEqual(Array(7).fill(200));
  expect(done.slice(4)).toEqual([4, 5, 6]);
  expect(tasks.most).toBe(2);
});

test("[W16] under any load no limit is passed and each request gets exactly one answer", {
  timeout: 30_000,
}, async () => {
  const load = fc.array(fc.record({ after: fc.nat(10), takes: fc.nat(15) }), { minLength: 5, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      load,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 10 }),
      async (requests, maxconn, queue) => {
        const open = new Map<string, number>();
        let most = 0;
        let sent = 0;
        const task: Task = async (request) => {
          const { origin } = new URL(request.url);
          sent += 1;
          open.set(origin, (open.get(origin) ?? 0) + 1);
          most = Math.max(most, open.get(origin) ?? 0);
          await new Promise((resolve) => setTimeout(resolve, Number(request.headers.get("x-takes"))));
          open.set(origin, (open.get(origin) ?? 0) - 1);
          return new Response("ok");
        };
        const table = tableOf(
          1,
          serviceOf("my-web", 8080, origins, { options: { maxconn, queue, queueTimeoutMs: 40 } }),
        );
        const plane = inProcessPlane(table, Object.fromEntries(origins.map((one) => [one, task])), {
          nowMs: Date.now,
        });
        const statuses = await Promise.all(
          requests.map(async ({ after, takes }) => {
            await new Promise((resolve) => setTimeout(resolve, after));
            return (await plane.send({ method: "POST", headers: { "x-takes": String(takes) } })).status;
          }),
        );
        expect(most).toBeLessThanOrEqual(maxconn);
        expect(statuses.filter((status) => status === 200)).toHaveLength(sent);
        expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
      },
    ),
    { numRuns: 15 },
  );
});

test("[W17] where too many wait, a request is refused at once, and the refusal says why", async () => {
  const { plane, tasks } = mesh({ maxconn: 1, queue: 0 }, undefined, 1);
  const first = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  const refusal = await plane.send({ method: "POST" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain(
    "every task of my-web has all the open requests it may have here, and 0 more wait already",
  );
  tasks.answer();
  expect((await first).status).toBe(200);
});

test("[W17] a request that waits too long is refused, and what becomes free goes to those who still wait", async () => {
  const { plane, tasks } = mesh({ maxconn: 1, queueTimeoutMs: 60 }, undefined, 1);
  const first = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  const refusal = await plane.send({ method: "POST" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain("had all the open requests it may have here for 0.06 s");
  const third = plane.send({ method: "POST" });
  tasks.answer();
  await until("the third is at the task", async () => tasks.waiting.length === 1);
  tasks.answer();
  expect([(await first).status, (await third).status]).toEqual([200, 200]);
});

test("[W17] a waiting request that has gone holds up nobody, and its task is not lost", async () => {
  const { plane, tasks } = mesh({ maxconn: 1 }, undefined, 1);
  const { queue, open } = plane.plane;
  const { id } = serviceOf("my-web", 1, []);
  const nowMs = Date.now();
  queue.poll(id, { polledMs: 0, isSelective: false, take: () => false }, nowMs - 300);
  expect(queue.length(id, nowMs)).toBe(0);
  // One that was given a task and never came for it.
  open.open("left", nowMs - 1);
  expect(open.isFull("left", 1, nowMs)).toBe(false);
  expect(open.of("left", nowMs)).toBe(0);
  const asked = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  tasks.answer();
  expect((await asked).status).toBe(200);
});

test("[W16] a request that moves on from a task that fails waits for one that is full", async () => {
  const tasks = new Tasks();
  const [bad = "", good = ""] = origins;
  const table = tableOf(1, serviceOf("my-web", 8080, origins, { options: { maxconn: 1 } }));
  const plane = inProcessPlane(table, { [bad]: refused, [good]: tasks.task(good) }, { nowMs: Date.now });
  const asked = [plane.send({ method: "PUT" }), plane.send({ method: "PUT" })];
  await until("one is at the task", async () => tasks.waiting.length === 1);
  tasks.answer();
  await until("so is the other", async () => tasks.waiting.length === 1);
  tasks.answer();
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
  expect(tasks.most).toBe(1);
});

test("[W17] how long a request was in line is told to those who show a token", async () => {
  const { plane, tasks } = mesh({ maxconn: 1 }, undefined, 1);
  const debug = { entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } };
  const asked = [plane.send(debug), plane.send(debug)];
  await until("one is at the task", async () => tasks.waiting.length === 1);
  await until(
    "the other waits",
    async () => plane.plane.queue.length(serviceOf("my-web", 1, []).id, Date.now()) === 1,
  );
  const sinceMs = Date.now();
  await until("it has waited for a while", () => Date.now() >= sinceMs + 20, { everyMs: 1 });
  tasks.answer();
  await until("so is the other", async () => tasks.waiting.length === 1);
  tasks.answer();
  const waited = (await Promise.all(asked)).map(({ headers }) => headers.get("x-waggle-waited-ms"));
  expect(waited[0]).toBeNull();
  expect(Number(waited[1])).toBeGreaterThanOrEqual(20);
});
