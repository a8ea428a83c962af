import fc from "fast-check";
import { expect, test } from "vitest";
import type { TableOptions } from "../../../src/domain/table/table.ts";
import { RequestQueue, type Waiter } from "../../../src/proxy/resilience/request-queue.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { until } from "../../support/until.ts";
import { inProcessPlane, refused, type Task } from "./in-process-plane.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1"];

/** Tasks that respond on demand, and their numbers of open requests. */
class Tasks {
  readonly open = new Map<string, number>();
  maxOpen = 0;
  readonly waiting: (() => void)[] = [];

  readonly task =
    (origin: string): Task =>
    () =>
      new Promise((resolve) => {
        const open = (this.open.get(origin) ?? 0) + 1;
        this.open.set(origin, open);
        this.maxOpen = Math.max(this.maxOpen, open);
        this.waiting.push(() => {
          this.open.set(origin, (this.open.get(origin) ?? 0) - 1);
          resolve(new Response(origin));
        });
      });

  /** Responds to the oldest open request. */
  respond(): void {
    this.waiting.shift()?.();
  }
}

function mesh(options: TableOptions, tasks = new Tasks(), count = 2) {
  const used = origins.slice(0, count);
  const responses = Object.fromEntries(used.map((origin) => [origin, tasks.task(origin)]));
  const table = tableOf(1, serviceOf("my-web", 8080, used, { options }));
  return { tasks, plane: inProcessPlane(table, responses, { nowMs: Date.now, headTimeoutMs: 20_000 }) };
}

test("[W16] a task gets at most its maximum of open requests, and the others queue first in first out", async () => {
  const { plane, tasks } = mesh({ maxconn: 2 });
  const done: number[] = [];
  const requests = Array.from({ length: 7 }, async (_, index) => {
    const response = await plane.send({ method: "POST" });
    done.push(index);
    return response.status;
  });
  await until("four are at the tasks", async () => tasks.waiting.length === 4);
  await until(
    "three wait",
    async () => plane.plane.queue.length(serviceOf("my-web", 1, []).id, Date.now()) === 3,
  );
  for (let count = 1; count <= 7; count += 1) {
    await until("a request is at a task", async () => tasks.waiting.length > 0);
    tasks.respond();
    await until("it has its response", async () => done.length === count);
  }
  expect(await Promise.all(requests)).toEqual(Array(7).fill(200));
  expect(done.slice(4)).toEqual([4, 5, 6]);
  expect(tasks.maxOpen).toBe(2);
});

test("[W16] under any load no maximum is exceeded and each request gets exactly one response", {
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
        let maxOpen = 0;
        let sent = 0;
        const task: Task = async (request) => {
          const { origin } = new URL(request.url);
          sent += 1;
          open.set(origin, (open.get(origin) ?? 0) + 1);
          maxOpen = Math.max(maxOpen, open.get(origin) ?? 0);
          await new Promise((resolve) => setTimeout(resolve, Number(request.headers.get("x-takes"))));
          open.set(origin, (open.get(origin) ?? 0) - 1);
          return new Response("ok");
        };
        const table = tableOf(
          1,
          serviceOf("my-web", 8080, origins, { options: { maxconn, queue, queueTimeoutMs: 40 } }),
        );
        const plane = inProcessPlane(table, Object.fromEntries(origins.map((origin) => [origin, task])), {
          nowMs: Date.now,
        });
        const statuses = await Promise.all(
          requests.map(async ({ after, takes }) => {
            await new Promise((resolve) => setTimeout(resolve, after));
            return (await plane.send({ method: "POST", headers: { "x-takes": String(takes) } })).status;
          }),
        );
        expect(maxOpen).toBeLessThanOrEqual(maxconn);
        expect(statuses.filter((status) => status === 200)).toHaveLength(sent);
        expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
      },
    ),
    { numRuns: 15 },
  );
});

test("[W17] a request is refused at once when the queue is full, with the reason", async () => {
  const { plane, tasks } = mesh({ maxconn: 1, queue: 0 }, undefined, 1);
  const first = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  const refusal = await plane.send({ method: "POST" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain(
    "every task of my-web is at its maximum of open requests, and the queue of 0 is full",
  );
  tasks.respond();
  expect((await first).status).toBe(200);
});

test("[W17] a request that waits too long is refused, and a free target goes to the next waiting request", async () => {
  const { plane, tasks } = mesh({ maxconn: 1, queueTimeoutMs: 60 }, undefined, 1);
  const first = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  const refusal = await plane.send({ method: "POST" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain("was at its maximum of open requests for 0.06 s");
  const third = plane.send({ method: "POST" });
  tasks.respond();
  await until("the third is at the task", async () => tasks.waiting.length === 1);
  tasks.respond();
  expect([(await first).status, (await third).status]).toEqual([200, 200]);
});

test("[W17] an abandoned waiting request blocks no other, and its target becomes free", async () => {
  const { plane, tasks } = mesh({ maxconn: 1 }, undefined, 1);
  const { queue, openRequests } = plane.plane;
  const { id } = serviceOf("my-web", 1, []);
  const nowMs = Date.now();
  queue.poll(id, { isSelective: false, take: () => false }, nowMs - 300);
  expect(queue.length(id, nowMs)).toBe(0);
  // A reserved target whose request never polled again.
  openRequests.open("abandoned", nowMs - 1);
  expect(openRequests.isFull("abandoned", 1, nowMs)).toBe(false);
  expect(openRequests.of("abandoned", nowMs)).toBe(0);
  const request = plane.send({ method: "POST" });
  await until("it is at the task", async () => tasks.waiting.length === 1);
  tasks.respond();
  expect((await request).status).toBe(200);
});

test("[W16] a retried request waits for a task that is full", async () => {
  const tasks = new Tasks();
  const [bad = "", good = ""] = origins;
  const table = tableOf(1, serviceOf("my-web", 8080, origins, { options: { maxconn: 1 } }));
  const plane = inProcessPlane(table, { [bad]: refused, [good]: tasks.task(good) }, { nowMs: Date.now });
  const requests = [plane.send({ method: "PUT" }), plane.send({ method: "PUT" })];
  await until("one is at the task", async () => tasks.waiting.length === 1);
  tasks.respond();
  await until("the other is at the task", async () => tasks.waiting.length === 1);
  tasks.respond();
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200]);
  expect(tasks.maxOpen).toBe(1);
});

test("[W17] a debug header shows how long a request was queued", async () => {
  const { plane, tasks } = mesh({ maxconn: 1 }, undefined, 1);
  const debug = { entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } };
  const requests = [plane.send(debug), plane.send(debug)];
  await until("one is at the task", async () => tasks.waiting.length === 1);
  await until(
    "the other waits",
    async () => plane.plane.queue.length(serviceOf("my-web", 1, []).id, Date.now()) === 1,
  );
  const sinceMs = Date.now();
  await until("it has waited for a while", () => Date.now() >= sinceMs + 20, { everyMs: 1 });
  tasks.respond();
  await until("the other is at the task", async () => tasks.waiting.length === 1);
  tasks.respond();
  const waited = (await Promise.all(requests)).map(({ headers }) => headers.get("x-waggle-waited-ms"));
  expect(waited[0]).toBeNull();
  expect(Number(waited[1])).toBeGreaterThanOrEqual(20);
});

test("[W31] with queue unlimited any number waits, and each gets its response in turn", async () => {
  const { plane, tasks } = mesh({ maxconn: 2, queue: "unlimited", queueTimeoutMs: 60_000 });
  let done = 0;
  const order: number[] = [];
  const requests = Array.from({ length: 160 }, async (_, index) => {
    const response = await plane.send({ method: "POST" });
    order.push(index);
    done += 1;
    return response.status;
  });
  while (done < requests.length) {
    await until("the next one", () => tasks.waiting.length > 0 || done === requests.length, { everyMs: 1 });
    while (tasks.waiting.length > 0) tasks.respond();
  }
  expect(await Promise.all(requests)).toEqual(Array(160).fill(200));
  expect(tasks.maxOpen).toBeLessThanOrEqual(2);
  // Four are at the tasks at a time, and each finds its task at its next poll, so neighbors may change places.
  for (const [place, index] of order.entries()) expect(Math.abs(place - index)).toBeLessThanOrEqual(20);
});

test("[W32] an isolate lets 10,000 requests wait, for whatever services", () => {
  const queue = new RequestQueue();
  const waiter = () => ({ isSelective: false, take: () => false });
  for (let count = 0; count < 9_999; count += 1) queue.poll(`service${count % 3}`, waiter(), 1_000);
  expect(queue.isFull).toBe(false);
  const last = waiter();
  queue.poll("service0", last, 1_000);
  expect(queue.isFull).toBe(true);
  queue.leave("service0", last);
  expect(queue.isFull).toBe(false);
});

test("[W33] waiters far from the front poll less often, and those that stop polling make room", () => {
  const queue = new RequestQueue();
  const waiters = Array.from({ length: 5_000 }, () => ({ isSelective: false, take: () => false }));
  const everyMs = waiters.map((waiter) => queue.poll("a", waiter, 1_000));
  expect([everyMs[0], everyMs[31], everyMs[320], everyMs[4_999]]).toEqual([5, 5, 50, 500]);
  // The front polls on; the rest is gone.
  for (let nowMs = 1_000; nowMs < 3_000; nowMs += 100) queue.poll("a", waiters[0] as Waiter, nowMs);
  expect(queue.length("a", 3_000)).toBe(1);
});
