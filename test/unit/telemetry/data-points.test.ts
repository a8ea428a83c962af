import { expect, test } from "vitest";
import { dataPoints } from "../../../src/telemetry/data-points.ts";
import { delta, entryDelta, taskDelta } from "./deltas.ts";

test("[J28] a delta's tasks and entries become data points: names as blobs, counts and percentiles as doubles", () => {
  const points = dataPoints(
    delta(1, {
      tasks: [taskDelta({ attempts: 3, requests: 2, timeouts: 1 }, [10, 10])],
      entries: [entryDelta({ requests: 2, responses2xx: 2, bytesOut: 9 }, [10, 10])],
    }),
  );
  expect(points.map(({ indexes, blobs }) => [indexes, blobs])).toEqual([
    [["my-web"], ["task", "AMS", "my-web", "id-node1", "my-web.1", "isolate1"]],
    [["my-web"], ["entry", "AMS", "my-web", "id-node1", "", "isolate1"]],
  ]);
  const [task, entry] = points.map(({ doubles }) => doubles);
  expect([task?.[0], task?.[7], task?.[13]]).toEqual([2, 3, 1]);
  expect([entry?.[0], entry?.[1], entry?.[6]]).toEqual([2, 2, 9]);
  expect(entry?.[15]).toBeCloseTo(10, -1);
});

test("[J28] the tasks with most requests are written, within the platform's limits", () => {
  const name = "ü".repeat(100);
  const tasks = Array.from({ length: 300 }, (_, at) =>
    taskDelta({ attempts: at }, [], { id: `task${at}`, name: `web.${at}`, serviceName: name }),
  );
  const points = dataPoints(delta(1, { tasks }));
  expect(points).toHaveLength(120);
  expect(points[0]?.blobs[4]).toBe("web.299");
  for (const { indexes, blobs, doubles } of points) {
    expect(new TextEncoder().encode(indexes[0]).length).toBeLessThanOrEqual(96);
    expect([blobs.length <= 20, doubles.length <= 20]).toEqual([true, true]);
  }
});
