// The options of `waggle up --edge`: the rules of Cloudflare's platform for a mesh on this machine.

import { randomInt } from "node:crypto";
import type { Command, Option } from "commander";
import { maxDurationMs, readDurationMs } from "../domain/model/measure.ts";
import type { PlatformSettings } from "../local/platform/platform-settings.ts";
import { usageError } from "./errors.ts";
import { valueFlag } from "./flags.ts";
import { readCountArgument } from "./values.ts";

/** More isolates than this are a mistake: each takes some megabytes. */
const maxIsolates = 64;
/** Rows that Workers Free reads for each row that it writes, in a day. */
const freeReadsPerWrite = 50;

/** The defaults, as the help states them. */
const defaults = {
  rtt: 50,
  isolates: 4,
  evictEvery: 30_000,
  resetEvery: 300_000,
  objectRate: 1_000,
} as const;

export type EdgeFlags = {
  readonly edge?: boolean;
  readonly rtt?: number;
  readonly isolates?: number;
  readonly evictEvery?: number;
  readonly resetEvery?: number;
  readonly objectRate?: number;
  readonly rowsPerDay?: number;
  readonly seed?: number;
};

const edgeOptions: readonly Option[] = [
  valueFlag("--rtt <duration>", "round trip to every Durable Object (default: 50ms)", readTime),
  valueFlag("--isolates <count>", "isolates of the data plane (default: 4)", readIsolates),
  valueFlag("--evict-every <duration>", "mean time between evictions; 0: never (default: 30s)", readTime),
  valueFlag(
    "--reset-every <duration>",
    "mean time between resets of a Durable Object; 0: never (default: 5m)",
    readTime,
  ),
  valueFlag("--object-rate <count>", "requests a second that an object takes (default: 1000)", readPositive),
  valueFlag(
    "--rows-per-day <count>",
    "rows that objects write; Workers Free: 100000 (default: any)",
    readPositive,
  ),
  valueFlag(
    "--seed <number>",
    "repeats the choices of an earlier run (default: a random one)",
    readCountArgument,
  ),
];

/** Adds the options. */
export function addEdgeFlags(command: Command): void {
  const group = "Cloudflare's rules:";
  command.addOption(
    command
      .createOption("--edge", "run under the rules of Cloudflare's platform; docs/edge.md explains them")
      .helpGroup(group),
  );
  for (const option of edgeOptions) command.addOption(option.helpGroup(group));
}

/** The rules that the options set; undefined without `--edge`. @throws CliError for an option that needs another */
export function platformSettingsOf(
  flags: EdgeFlags & { readonly split?: boolean; readonly ca?: string },
): PlatformSettings | undefined {
  if (flags.edge !== true) {
    const given = edgeOptions.find((option) => option.attributeName() in flags);
    if (given !== undefined) throw usageError(`${given.long} needs --edge`);
    return undefined;
  }
  if (flags.split === true) throw usageError("--edge runs isolates of its own: leave --split out");
  if (flags.ca !== undefined) {
    throw usageError(
      "a Worker trusts the certificates of public authorities only: leave --ca out, or --edge",
    );
  }
  return {
    rttMs: flags.rtt ?? defaults.rtt,
    isolates: flags.isolates ?? defaults.isolates,
    evictEveryMs: flags.evictEvery ?? defaults.evictEvery,
    resetEveryMs: flags.resetEvery ?? defaults.resetEvery,
    requestsPerSecond: flags.objectRate ?? defaults.objectRate,
    rowsPerDay:
      flags.rowsPerDay === undefined
        ? null
        : { read: flags.rowsPerDay * freeReadsPerWrite, written: flags.rowsPerDay },
    seed: flags.seed ?? randomInt(2 ** 31),
  };
}

function readTime(text: string): number {
  const ms = readDurationMs(text);
  if (ms !== null && ms <= maxDurationMs) return ms;
  throw usageError("must be a duration such as 150ms, 30s or 5m, up to 24h");
}

function readIsolates(text: string): number {
  const count = readCountArgument(text);
  if (count >= 1 && count <= maxIsolates) return count;
  throw usageError(`must be between 1 and ${maxIsolates}`);
}

function readPositive(text: string): number {
  const count = readCountArgument(text);
  if (count >= 1) return count;
  throw usageError("must be a whole number, 1 or more");
}
