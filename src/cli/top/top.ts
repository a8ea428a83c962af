// `waggle top`: services, nodes and tasks with what goes through them, live.

import type { Command } from "commander";
import type { MeshStatus } from "../../protocol/status.ts";
import type { MeshTraffic } from "../../protocol/telemetry.ts";
import type { Cli } from "../cli.ts";
import type { Client } from "../client.ts";
import { parseDurationNs } from "../duration.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { choiceFlag, connect, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../output.ts";
import { firstState, showsTasks, type TopState, type View } from "./keys.ts";
import type { Attempts } from "./reading.ts";
import { type Reading, type SortColumn, sortColumns } from "./rows.ts";

type Flags = MeshFlags & {
  readonly once?: boolean;
  readonly interval: number;
  readonly sort: SortColumn;
  readonly filter?: string;
  readonly only?: Exclude<View, "all">;
};

/** Shortest time between two readings, milliseconds: the mesh counts in steps of seconds. */
const leastIntervalMs = 500;

/** Rates of what is only summed up are over so long: isolates tell their counts every two seconds. Milliseconds. */
const rateOverMs = 10_000;

/** Width of what goes into a file. */
const fileColumns = 140;

const notes = `
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
    .addHelpText("after", notes)
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const read = reader(mesh);
      const state = stateOf(flags);
      const reading = await read(flags.json === true || showsTasks(state));
      if (flags.json) return printJson(cli.out, reading);
      if (flags.once || cli.keys === undefined || !cli.out.isTTY) {
        const { snapshot } = await import("./frame.ts");
        return void cli.out.write(snapshot(reading, state, cli.out.columns || fileColumns));
      }
      const { watch } = await import("./watch.ts");
      const interrupted = await watch(
        { cli, keys: cli.keys, read, intervalMs: flags.interval },
        reading,
        state,
      );
      if (interrupted) throw new CliError(exitCodes.interrupted, "");
    });
}

function stateOf({ sort, filter = "", only }: Flags): TopState {
  return { ...firstState, order: { by: sort, reverse: false }, filter, view: only ?? "all" };
}

/** @param tasks false: without what is counted of each task, which is most of it */
export type Read = (tasks: boolean) => Promise<Reading>;

/** Reads again and again, each reading knowing what was counted some seconds ago. */
function reader(mesh: Client): Read {
  let attempts: readonly Attempts[] = [];
  return async (tasks) => {
    const { attemptsOf, readingOf } = await import("./reading.ts");
    const [status, traffic] = await Promise.all([mesh.mesh<MeshStatus>("/status"), readTraffic(mesh, tasks)]);
    const reading = readingOf(status, traffic, attempts[0] ?? null, mesh.target.url);
    if (traffic !== null) {
      const sinceMs = traffic.atMs - rateOverMs;
      attempts = [...attempts.filter(({ atMs }) => atMs >= sinceMs), attemptsOf(traffic)];
    }
    return reading;
  };
}

/** Null when the mesh answers and its telemetry does not: the rest is worth showing. */
async function readTraffic(mesh: Client, tasks: boolean): Promise<MeshTraffic | null> {
  try {
    return await mesh.mesh<MeshTraffic>("/telemetry", { trend: true, tasks });
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.refused) return null;
    throw error;
  }
}

function readInterval(text: string): number {
  const ms = Math.round(parseDurationNs(text) / 1e6);
  if (ms < leastIntervalMs) throw usageError(`must be at least ${leastIntervalMs}ms`);
  return ms;
}
