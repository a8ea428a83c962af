// Whole requests through an entry point, with any tasks failing and any headers.

import fc from "fast-check";
import { expect, test } from "vitest";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused, type Task } from "../../unit/ingress/in-process-plane.ts";

const names = ["a", "b", "c", "d", "e", "f"];
const origins = names.map((name) => `http://${name}`);

test("[X6] shares of tasks differ by at most one for any number of tasks and requests", async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: names.length }),
    fc.nat(40),
    fc.double({ min: 0, max: 0.999 }),
    async (count, requests, random) => {
      const table = tableOf(1, serviceOf("my-web", 8080, origins.slice(0, count)));
      const mesh = inProcessPlane(table, {}, { random: () => random });
      for (let turn = 0; turn < requests; turn += 1) await mesh.send();
      const shares = origins
        .slice(0, count)
        .map((origin) => mesh.origins().filter((picked) => picked === origin).length);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

test("[X9] [X10] a request gets one response, from a healthy task if it may be retried there", async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: names.length }),
    fc.subarray(names),
    fc.array(fc.constantFrom("GET", "PUT", "POST"), { minLength: 1, maxLength: 6 }),
    async (count, failing, methods) => {
      const tasks = Object.fromEntries(failing.map((name) => [`http://${name}`, refused as Task]));
      const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, count))), tasks);
      for (const method of methods) {
        const before = mesh.received.length;
        const response = await mesh.send({ method });
        // Each second allows three retries, so the retry budget is never used up.
        mesh.state.nowMs += 1_000;
        const tried = mesh.origins().slice(before);
        expect(new Set(tried).size).toBe(tried.length);
        expect(tried.length).toBeLessThanOrEqual(method === "POST" ? 1 : 4);
        const last = tried.at(-1) ?? "";
        if (response.status === 200) expect(await response.text()).toBe(last);
        else expect([response.status, last in tasks]).toEqual([502, true]);
        const failingTasks = failing.filter((name) => names.indexOf(name) < count);
        if (method !== "POST" && count <= 4 && failingTasks.length < count) expect(response.status).toBe(200);
      }
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test("[X14] [X17] [X18] no header of a client changes what the task learns about the client", async () => {
  const spoofedName = fc.constantFrom(
    "x-forwarded-for",
    "x-forwarded-anything",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "client-ip",
    "x-waggle-entry",
    "x-waggle-x",
    "keep-alive",
    "te",
    "proxy-authorization",
  );
  const value = fc.stringMatching(/^[!-~]{1,12}$/).map((text) => `spoof${text}`);
  const connection = fc.array(spoofedName, { maxLength: 3 }).map((names) => names.join(", "));
  const property = fc.asyncProperty(
    fc.array(fc.tuple(spoofedName, value), { maxLength: 6 }),
    connection,
    async (pairs, listed) => {
      const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, ["http://a"])));
      const headers = { ...Object.fromEntries(pairs), ...(listed !== "" && { connection: listed }) };
      expect((await mesh.send({ headers })).status).toBe(200);
      const head = Object.fromEntries(mesh.received[0]?.headers ?? []);
      expect(Object.values(head).filter((text) => text.includes("spoof"))).toEqual([]);
      expect(head["x-forwarded-for"]).toBe("203.0.113.7");
      expect(head.forwarded).toBe("for=203.0.113.7;host=www.example.com;proto=http");
    },
  );
  await fc.assert(property, { numRuns: 80 });
});
