import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { TaskProbes } from "../../../../src/agent/discovery/task-probes.ts";

const task = {
  key: "a",
  endpoints: [{ target: 80, origin: "http://172.17.0.2:80" }],
  probe: { kind: "tcp" },
} as const;

test("[N257] a discovered task is healthy after two passes of its probe, unhealthy after three failures, and starting for up to a minute", async () => {
  let ok = false;
  let nowMs = 0;
  let next = () => {};
  const verdicts: (string | undefined)[] = [];
  const probes: TaskProbes = new TaskProbes({
    prober: async () => ({ ok, text: ok ? "L4OK in 0ms" : "L4CON in 0ms" }),
    wait: (ms) => {
      nowMs += ms;
      return new Promise((resolve) => {
        next = resolve;
      });
    },
    nowMs: () => nowMs,
    onVerdict: () => verdicts.push(probes.healthOf("a")?.verdict),
  });
  const probe = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      next();
      await setImmediate();
    }
  };
  probes.follow([task]);
  await setImmediate();
  await probe(10);
  expect([probes.healthOf("a")?.verdict, nowMs]).toEqual(["starting", 1_100]);
  ok = true;
  await probe(2);
  expect(verdicts).toEqual(["healthy"]);
  ok = false;
  await probe(2);
  expect(verdicts).toEqual(["healthy"]);
  await probe(1);
  expect(verdicts).toEqual(["healthy", "unhealthy"]);
  probes.follow([{ ...task, probe: { kind: "http", path: "/health" } }]);
  expect(probes.healthOf("a")?.verdict).toBe("starting");
  await probe(1_000);
  expect(probes.healthOf("a")?.verdict).toBe("unhealthy");
  probes.close();
  expect(probes.healthOf("a")).toBeNull();
});
