// Whole requests through an entry point, with tasks that fail as they like and heads of every kind.

import fc from "fast-check";
import { expect, test } from "vitest";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused, type Task } from "../../unit/ingress/in-process-plane.ts";

const names = ["a", "b", "c", "d", "e", "f"];
const origins = names.map((name) => `http://${name}`);

test("[X6] shares of a node's tasks differ by at most one for any number of tasks and requests", async () => {
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
        .map((origin) => mesh.origins().filter((one) => one === origin).length);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

test("[X9] [X10] whatever fails, a request gets one answer, from a task that lives if it may be sent there", async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: names.length }),
    fc.subarray(names),
    fc.array(fc.constantFrom("GET", "PUT", "POST"), { minLength: 1, maxLength: 6 }),
    async (count, failing, methods) => {
      const tasks = Object.fromEntries(failing.map((name) => [`http://${name}`, refused as Task]));
      const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, count))), tasks);
      for (const method of methods) {
        const before = mesh.received.length;
        const answer = await mesh.send({ method });
        // The budget of retries is a rule of its own: a second's pause earns three.
        mesh.state.nowMs += 1_000;
        const tried = mesh.origins().slice(before);
        expect(new Set(tried).size).toBe(tried.length);
        expect(tried.length).toBeLessThanOrEqual(method === "POST" ? 1 : 4);
        const last = tried.at(-1) ?? "";
        if (answer.status === 200) expect(await answer.text()).toBe(last);
        else expect([answer.status, last in tasks]).toEqual([502, true]);
        const mayReach =
          method !== "POST" && count <= 4 && failing.filter((name) => names.indexOf(name) < count);
        if (mayReach && mayReach.length < count) expect(answer.status).toBe(200);
      }
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test("[X14] [X17] [X18] whatever a client sends, no word of it tells the task who the client is", async () => {
  const spoof = fc.constantFrom(
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
  const connection = fc.array(spoof, { maxLength: 3 }).map((listed) => listed.join(", "));
  const property = fc.asyncProperty(
    fc.array(fc.tuple(spoof, value), { maxLength: 6 }),
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
