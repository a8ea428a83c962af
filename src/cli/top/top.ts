// `waggle top`: services, nodes and tasks with what goes through them, live.

import type { Command } from "commander";
import type { MeshStatus } from "../../protocol/status.ts";
import type { MeshTrafficReport } from "../../protocol/telemetry.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { parseDurationMs } from "../duration.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { choiceFlag, connect, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
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

/** Shortest time between two readings, milliseconds: the mesh counts in steps of seconds. */
const minTopIntervalMs = 500;

/** Rates of what is only summed up are over so long: isolates tell their counts every two seconds. Milliseconds. */
const rateWindowMs = 10_000;

/** Width of what goes into a file. */
const defaultFileColumns = 140;

const topHelp = `
Examples:
  waggle top
  waggle top --only tasks --sort p95 --filter my-web
  waggle top --once | head -20
  waggle top --json | jq '.sections.services[] | select(.measured.errors > 0.01) | .name'

Keys: q quits, a s n t choose what is shown, < > and r the order, / filters, space pauses, ? shows the rest.
Where there is no terminal, one reading is printed. REQ/S, ERR% and latencies are of the last ten to twenty seconds.`;

export function registerTop(program: Command, cli: Cli): void {
  const command = program
    .command("top")
    .summary("watch services, nodes and tasks, and what goes through them")
    .description(
      "Watch the mesh live: requests a second, errors and latencies of every service, node and task, and what is wrong.",
    )
    .option("--once", "print one reading, also on a terminal")
    .addOption(valueFlag("--interval <duration>", "time between readings", readInterval).default(2_000, "2s"))
    .addOption(choiceFlag("--sort <column>", "what the rows are sorted by", sortColumns).default("requests"))
    .option("--filter <text>", "only rows with this text in their name, place or state")
    .addOption(choiceFlag("--only <what>", "show these alone", ["services", "nodes", "tasks"]));
  meshFlags(command)
    .addHelpText("after", topHelp)
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const read = createTopReader(mesh);
      const state = stateFromFlags(flags);
      const reading = await read(flags.json === true || showsTasks(state));
      if (flags.json) return printJson(cli.out, reading);
      if (flags.once || cli.keys === undefined || !cli.out.isTTY) {
        const { plainScreen } = await import("./screen.ts");
        return void cli.out.write(plainScreen(reading, state, cli.out.columns || defaultFileColumns));
      }
      const { watchTop } = await import("./watch.ts");
      const interrupted = await watchTop(
        { cli, keys: cli.keys, read, intervalMs: flags.interval },
        reading,
        state,
      );
      if (interrupted) throw new CliError(exitCodes.interrupted, "");
    });
}

function stateFromFlags({ sort, filter = "", only }: Flags): TopState {
  return { ...initialState, order: { by: sort, reverse: false }, filter, view: only ?? "all" };
}

/** @param tasks false: without what is counted of each task, which is most of it */
export type TopReader = (tasks: boolean) => Promise<TopReading>;

/** Reads again and again, each reading knowing what was counted some seconds ago. */
function createTopReader(mesh: MeshClient): TopReader {
  let attempts: readonly AttemptCounts[] = [];
  return async (tasks) => {
    const { attemptCountsOf, buildReading } = await import("./reading.ts");
    const [status, traffic] = await Promise.all([
      mesh.getNative<MeshStatus>("/status"),
      readTraffic(mesh, tasks),
    ]);
    const reading = buildReading(status, traffic, attempts[0] ?? null, mesh.target.url);
    if (traffic !== null) {
      const sinceMs = traffic.atMs - rateWindowMs;
      attempts = [...attempts.filter(({ atMs }) => atMs >= sinceMs), attemptCountsOf(traffic)];
    }
    return reading;
  };
}

/** Null when the mesh answers and its telemetry does not: the rest is worth showing. */
async function readTraffic(mesh: MeshClient, tasks: boolean): Promise<MeshTrafficReport | null> {
  try {
    return await mesh.getNative<MeshTrafficReport>("/telemetry", { trend: true, tasks });
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.refused) return null;
    throw error;
  }
}

function readInterval(text: string): number {
  const ms = Math.round(parseDurationMs(text));
  if (ms < minTopIntervalMs) throw usageError(`must be at least ${minTopIntervalMs}ms`);
  return ms;
}
