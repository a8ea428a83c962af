// `waggle top`: services, nodes and tasks with their traffic, live.

import type { Command } from "commander";
import type { MeshTrafficReport } from "../../protocol/telemetry.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { parseDurationMs } from "../duration.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { choiceFlag, connect, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { meshStatus } from "../shapes.ts";
import { initialState, showsTasks, type TopState, type TopView } from "./keys.ts";
import type { AttemptCounts } from "./reading.ts";
import { type SortColumn, sortColumns, type TopReading } from "./rows.ts";

type Flags = MeshFlags & {
  readonly once?: boolean;
  readonly interval: number;
  readonly sort: SortColumn;
  readonly filter?: string;
  readonly only?: Exclude<TopView, "all">;
};

/** Shortest interval between readings, milliseconds: the mesh counts in bins of seconds. */
const minTopIntervalMs = 500;

/** Window of the retry rate, milliseconds: isolates report their counters every two seconds. */
const rateWindowMs = 10_000;

/** Line width where the output is not a terminal. */
const defaultFileColumns = 140;

const topHelp = `
Examples:
  waggle top
  waggle top --only tasks --sort p95 --filter my-web
  waggle top --once | head -20
  waggle top --json | jq '.sections.services[] | select(.measured.errorRatio > 0.01) | .name'

Keys: q quits; a s n t choose the view; < > and r change the order; / filters; space pauses; ? lists
all keys. Without a terminal, prints one reading. REQ/S, ERR% and latencies cover the last ten to
twenty seconds.`;

export function registerTop(program: Command, cli: Cli): void {
  const command = program
    .command("top")
    .summary("display live traffic of services, nodes and tasks")
    .description(
      "Display the mesh live: requests per second, errors and latencies of every service, node and task, and problems.",
    )
    .option("--once", "print one reading, even on a terminal")
    .addOption(valueFlag("--interval <duration>", "time between readings", readInterval).default(2_000, "2s"))
    .addOption(choiceFlag("--sort <column>", "column to sort by", sortColumns).default("requests"))
    .option("--filter <text>", "only rows whose name, location or state contains this text")
    .addOption(choiceFlag("--only <view>", "show only these rows", ["services", "nodes", "tasks"]));
  meshFlags(command)
    .addHelpText("after", topHelp)
    .action((flags: Flags) => top(cli, command, flags));
}

async function top(cli: Cli, command: Command, flags: Flags): Promise<void> {
  const read = createTopReader(await connect(command, cli));
  const state = stateFromFlags(flags);
  const reading = await read(flags.json === true || showsTasks(state));
  if (flags.json) return printJson(cli.out, reading);
  if (flags.once || cli.keys === undefined || !cli.out.isTTY) {
    const { plainScreen } = await import("./screen.ts");
    return void cli.out.write(plainScreen(reading, state, cli.out.columns || defaultFileColumns));
  }
  const { watchTop } = await import("./watch.ts");
  const options = { cli, keys: cli.keys, read, intervalMs: flags.interval };
  const isInterrupted = await watchTop(options, reading, state);
  if (isInterrupted) throw new CliError(exitCodes.interrupted, "");
}

function stateFromFlags({ sort, filter = "", only }: Flags): TopState {
  return { ...initialState, order: { by: sort, reverse: false }, filter, view: only ?? "all" };
}

/** Reads the mesh once. @param withTasks false leaves out the counters of each task, most of the report */
export type TopReader = (withTasks: boolean) => Promise<TopReading>;

/** A reader that remembers the attempt counts of earlier readings, for the retry rate. */
function createTopReader(mesh: MeshClient): TopReader {
  let attempts: readonly AttemptCounts[] = [];
  return async (withTasks) => {
    const { attemptCountsOf, buildReading } = await import("./reading.ts");
    const [status, traffic] = await Promise.all([
      mesh.getNative("/status", meshStatus),
      readTraffic(mesh, withTasks),
    ]);
    const reading = buildReading(status, traffic, attempts[0] ?? null, mesh.target.url);
    if (traffic !== null) {
      const sinceMs = traffic.atMs - rateWindowMs;
      attempts = [...attempts.filter(({ atMs }) => atMs >= sinceMs), attemptCountsOf(traffic)];
    }
    return reading;
  };
}

/** The traffic report; null if telemetry is unavailable. The status is shown without it. */
async function readTraffic(mesh: MeshClient, withTasks: boolean): Promise<MeshTrafficReport | null> {
  try {
    const { MeshTrafficReport } = await import("../../protocol/telemetry.ts");
    return await mesh.getNative("/telemetry", MeshTrafficReport, { trend: true, tasks: withTasks });
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.refused) return null;
    throw error;
  }
}

function readInterval(text: string): number {
  const intervalMs = Math.round(parseDurationMs(text));
  if (intervalMs < minTopIntervalMs) throw usageError(`must be at least ${minTopIntervalMs}ms`);
  return intervalMs;
}
