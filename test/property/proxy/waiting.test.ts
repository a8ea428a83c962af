// Concurrent requests of all methods to tasks that respond, fail or freeze at random, in simulated time.

import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, type Task } from "../../unit/ingress/in-process-plane.ts";

afterEach(() => {
  vi.useRealTimers();
});

const headTimeoutMs = 4_000;

/** A task's behavior for one request. A task cycles through a list of them. */
const behavior = fc.record({
  kind: fc.constantFrom("responds", "responds", "responds 503", "fails", "freezes"),
  ms: fc.constantFrom(0, 1, 40, 90, 300, 1_500, 5_000),
});
const taskBehaviors = fc.array(behavior, { minLength: 1, maxLength: 4 });
const request = fc.record({
  method: fc.constantFrom("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"),
  gapMs: fc.constantFrom(0, 1, 20, 400),
});

test("[Y20][Y29] each request gets exactly one response in time, from at most four concurrent attempts", async () => {
  const property = fc.asyncProperty(
    fc.array(taskBehaviors, { minLength: 1, maxLength: 6 }),
    fc.array(request, { minLength: 1, maxLength: 30 }),
    fc.constantFrom(null, 200),
    async (behaviors, requests, tryTimeoutMs) => {
      vi.useFakeTimers({ now: 1_000_000 });
      const attempts = new Attempts();
      const origins = behaviors.map((_, index) => `http://t${index}`);
      const tasks = Object.fromEntries(behaviors.map((list, index) => [origins[index], attempts.task(list)]));
      const table = tableOf(1, serviceOf("my-web", 8080, origins));
      const mesh = inProcessPlane(table, tasks as Record<string, Task>, {
        nowMs: () => Date.now(),
        headTimeoutMs,
        tryTimeoutMs,
        silenceMs: 1_000,
      });
      const responses: { status: number; tookMs: number }[] = [];
      for (const [index, { method, gapMs }] of requests.entries()) {
        const startedMs = Date.now();
        void mesh.send({ method, headers: { "x-request-id": `r${index}` } }).then(async (response) => {
          await response.text();
          responses.push({ status: response.status, tookMs: Date.now() - startedMs });
        });
        await vi.advanceTimersByTimeAsync(gapMs);
      }
      await vi.advanceTimersByTimeAsync(4 * headTimeoutMs);
      expect(responses).toHaveLength(requests.length);
      for (const { status, tookMs } of responses) {
        expect([200, 502, 503, 504]).toContain(status);
        // The head timeout starts again with a fresh table, at most once.
        expect(tookMs).toBeLessThanOrEqual(2 * headTimeoutMs + 2_100);
      }
      for (const [index, { method }] of requests.entries()) {
        const { tasks, maxWaiting } = attempts.of(`r${index}`);
        expect(new Set(tasks).size).toBe(tasks.length);
        expect(maxWaiting).toBeLessThanOrEqual(4);
        if (method === "POST" || method === "PATCH") expect(tasks.length).toBeLessThanOrEqual(1);
      }
    },
  );
  await fc.assert(property, { numRuns: 150 });
}, 20_000);

/** The attempts of each request, by its id. */
class Attempts {
  readonly #byId = new Map<string, { tasks: string[]; waiting: number; maxWaiting: number }>();

  of(id: string) {
    const known = this.#byId.get(id) ?? { tasks: [], waiting: 0, maxWaiting: 0 };
    this.#byId.set(id, known);
    return known;
  }

  task(list: readonly { kind: string; ms: number }[]): Task {
    let turn = 0;
    return async (request) => {
      const { kind, ms } = list[turn++ % list.length] as { kind: string; ms: number };
      const record = this.of(request.headers.get("x-request-id") ?? "");
      record.tasks.push(new URL(request.url).hostname);
      record.waiting += 1;
      record.maxWaiting = Math.max(record.maxWaiting, record.waiting);
      if (kind === "freezes") return new Promise(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, ms));
      record.waiting -= 1;
      if (kind === "fails") throw new TypeError("reset");
      return new Response("ok", { status: kind === "responds" ? 200 : 503 });
    };
  }
}
