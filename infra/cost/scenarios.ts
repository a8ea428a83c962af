// The meshes of the document, and the one that arguments describe.

import type { Scenario, Transport } from "./usage.ts";

/** Data centers of Cloudflare that clients all over the world reach. */
const maxPlaces = 300;
const maxNodes = 10_000;
const maxIsolates = 100_000;
const maxRequestsPerSecond = 1_000_000;
const transports: readonly Transport[] = ["direct", "tunnel", "vpc"];

export type ScenarioSize = Pick<Scenario, "nodes" | "isolates" | "requestsPerSecond" | "transport">;

/** A mesh of usual proportions: two tasks on each node, ten nodes for each service, each task replaced once a day. */
export function scenarioOfSize(size: ScenarioSize): Scenario {
  const isolates = size.requestsPerSecond === 0 ? 0 : size.isolates;
  return {
    ...size,
    isolates,
    services: Math.ceil(size.nodes / 10),
    tasks: 2 * size.nodes,
    places: Math.min(isolates, maxPlaces),
    replacementsPerDay: 2 * size.nodes,
  };
}

/** [nodes, requests a second, isolates, transport] of the document's table. */
const documented: readonly (readonly [number, number, number, Transport])[] = [
  [3, 0, 0, "direct"],
  [3, 1, 50, "direct"],
  [3, 1, 50, "tunnel"],
  [3, 100, 50, "direct"],
  [3, 100, 300, "direct"],
  [3, 100, 500, "direct"],
  [3, 100, 500, "tunnel"],
  [100, 5_000, 300, "direct"],
  [100, 5_000, 500, "direct"],
  [100, 5_000, 500, "tunnel"],
  [100, 5_000, 5_000, "direct"],
  [1_000, 5_000, 500, "direct"],
  [10_000, 0, 0, "direct"],
  [10_000, 5_000, 5_000, "direct"],
];

export const documentedScenarios: readonly Scenario[] = documented.map(
  ([nodes, requestsPerSecond, isolates, transport]) =>
    scenarioOfSize({ nodes, requestsPerSecond, isolates, transport }),
);

/** A mesh for a hobby: the one that has to fit Workers Free. */
export const hobbyScenario = scenarioOfSize({
  nodes: 3,
  requestsPerSecond: 1,
  isolates: 50,
  transport: "direct",
});

/** The values of the arguments; undefined for those that are not given. */
export type SizeArguments = Partial<Record<"nodes" | "rate" | "isolates" | "transport", string | undefined>>;

/** Reads the arguments. @throws Error with what was read and what would work */
export function readScenario({ nodes, rate, isolates, transport }: SizeArguments): Scenario {
  return scenarioOfSize({
    nodes: readCount("--nodes", nodes ?? "3", 0, maxNodes),
    requestsPerSecond: readRate(rate ?? "1"),
    isolates: readCount("--isolates", isolates ?? "50", 1, maxIsolates),
    transport: readTransport(transport ?? "direct"),
  });
}

function readCount(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`cannot read ${option} "${text}": it is a whole number from ${min} to ${max}`);
}

function readRate(text: string): number {
  const value = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= maxRequestsPerSecond) return value;
  throw new Error(
    `cannot read --rate "${text}": it is requests a second, such as 0.5 or 100, up to ${maxRequestsPerSecond}`,
  );
}

function readTransport(text: string): Transport {
  const transport = transports.find((known) => known === text);
  if (transport !== undefined) return transport;
  throw new Error(`cannot read --transport "${text}": it is ${transports.join(", ")}`);
}
