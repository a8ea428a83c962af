// The pictures of docs/scaling.md, from recorded results. Pure.

import type { Chart, ChartPoint, Series } from "./chart.ts";
import { replacementRun } from "./fit.ts";
import type { Prices } from "./prices.ts";
import type { RunRecord } from "./recording.ts";
import { scenarioOfSize } from "./scenarios.ts";
import { type ObjectLoads, type Rates, usageOf } from "./usage.ts";

/** Results of `npm run bench -- scale --record`. */
export type ScaleResults = {
  readonly meshes: readonly {
    readonly nodes: number;
    readonly services: number;
    readonly tasks: number;
    readonly values: Readonly<Record<string, number>>;
  }[];
};

/** A release in the pictures. */
export type Release = {
  readonly rates: Rates;
  readonly runs: readonly RunRecord[];
  readonly isEarlier: boolean;
};

/** CPU time of the registry for one event, by the size of the mesh. */
export function eventsChart(before: ScaleResults, now: ScaleResults): Chart {
  const series = (label: string, color: Series["color"], name: string): readonly Series[] => [
    { label: `${label}, before`, color, isEarlier: true, points: pointsOf(before, name) },
    { label, color, isEarlier: false, points: pointsOf(now, name) },
  ];
  return {
    title: "CPU time of the registry for one event",
    x: { label: sizesText(now), ticks: [1, 10, 100, 1_000, 10_000, 100_000] },
    y: { label: "milliseconds", ticks: [0.01, 0.1, 1, 10, 100, 1_000] },
    series: [
      ...series("a task turns unhealthy", 1, "a task turns unhealthy, ms"),
      ...series("an agent returns", 2, "a hello that changes nothing, ms"),
      {
        label: "heartbeats are checked",
        color: 3,
        isEarlier: false,
        points: pointsOf(now, "a check of heartbeats, ms"),
      },
    ],
  };
}

function sizesText({ meshes }: ScaleResults): string {
  const nodes = meshes.map((mesh) => mesh.nodes.toLocaleString("en-US"));
  return `tasks, in meshes of ${nodes.join(" / ")} nodes`;
}

function pointsOf({ meshes }: ScaleResults, name: string): readonly ChartPoint[] {
  return meshes.flatMap(({ tasks, values }) => {
    const y = values[name];
    return y === undefined ? [] : [{ x: tasks, y }];
  });
}

const isolateCounts = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000] as const;
/** Enough that an isolate calls as often as it ever does. */
const busyRequests = 10;

/** Requests that single objects get, by the number of busy isolates. */
export function callsChart(releases: readonly Release[], prices: Prices): Chart {
  const objects = ["registry", "telemetry"] as const satisfies readonly (keyof ObjectLoads)[];
  return {
    title: `Requests to objects, with ${busyRequests} requests/s for each isolate`,
    x: { label: "isolates of the data plane", ticks: [1, 10, 100, 1_000, 10_000] },
    y: { label: "requests/s to one object", ticks: [0.01, 0.1, 1, 10, 100, 1_000, 10_000] },
    limit: {
      y: prices.objects.maxRequestsPerSecond,
      label: "more than one object takes",
    },
    series: releases.flatMap(({ rates, isEarlier }) =>
      objects.map((object, index) => ({
        label: `${object}${isEarlier && releases.length > 1 ? ", before" : ""}`,
        color: (index + 1) as Series["color"],
        isEarlier,
        points: isolateCounts.map((isolates) => {
          const scenario = scenarioOfSize({
            nodes: 3,
            isolates,
            requestsPerSecond: isolates * busyRequests,
            transport: "direct",
          });
          return { x: isolates, y: usageOf(scenario, rates, prices).loads[object] };
        }),
      })),
    ),
  };
}

/** What each isolate receives for one change, by the size of the mesh. */
export function bytesChart(now: ScaleResults, releases: readonly Release[]): Chart {
  const tasks = now.meshes.map((mesh) => mesh.tasks);
  const [smallest = 1, largest = 1] = [Math.min(...tasks), Math.max(...tasks)];
  return {
    title: "Bytes that each isolate receives for a change",
    x: { label: sizesText(now), ticks: [1, 10, 100, 1_000, 10_000, 100_000] },
    y: { label: "bytes", ticks: [100, 1_000, 10_000, 100_000, 1e6, 1e7, 1e8] },
    series: [
      {
        label: "the whole table",
        color: 2,
        isEarlier: true,
        points: pointsOf(now, "the whole table, bytes"),
      },
      ...releases
        .filter(({ isEarlier }) => !isEarlier)
        .flatMap(({ runs }) => {
          const y = bytesPerReplacement(runs);
          const points = [smallest, largest].map((x) => ({ x, y }));
          return { label: "a change of one task", color: 1 as const, isEarlier: false, points };
        }),
    ],
  };
}

/** Of all changes that one replaced task brings, measured in a small mesh. */
function bytesPerReplacement(runs: readonly RunRecord[]): number {
  const run = runs.find(({ name }) => name === replacementRun);
  const bytes = run?.calls["isolate REGISTRY"]?.replyBytes ?? 0;
  return run === undefined ? 0 : bytes / run.isolates / run.replacements;
}
