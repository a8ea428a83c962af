// `waggle events`: who did what to which thing, and why.

import type { Command } from "commander";
import type { MeshEvent } from "../domain/event.ts";
import type { Cli } from "./cli.ts";
import type { Client } from "./client.ts";
import { CliError, exitCodes } from "./errors.ts";
import { connect, type MeshFlags, meshFlags, valueFlag } from "./flags.ts";
import { readCount } from "./values.ts";

/** Events asked for at a time. */
const pageSize = 500;

type Flags = MeshFlags & { follow?: boolean; since?: number };

export function registerEvents(program: Command, cli: Cli): void {
  const command = program
    .command("events")
    .summary("tell what happened, who did it and why")
    .description("Print the events that the mesh keeps, oldest first; with --json one JSON object a line.")
    .option(
      "-f, --follow",
      "go on with each event as it happens; a lost connection is taken up where it broke",
    )
    .addOption(valueFlag("--since <number>", "only events after this number", readCount));
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle events -f\n  waggle events --json | jq 'select(.action == \"task.failed\")'",
    )
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const print = (event: MeshEvent) =>
        cli.out.write(flags.json ? `${JSON.stringify(event)}\n` : eventLine(event));
      if (!flags.follow) return printKept(mesh, flags.since ?? 0, print);
      const { followEvents } = await import("./follow.ts");
      await followEvents(cli, mesh.target, flags.since ?? 0, print, cli.onInterrupt());
      throw new CliError(exitCodes.interrupted, "");
    });
}

/** `2026-11-01T12:00:00.000Z  42  service.create  my-web  by operator: why` */
export function eventLine(event: MeshEvent): string {
  const { seq, action, subject, actor, why } = event;
  const time = new Date(event.atMs).toISOString();
  const reason = why === "" ? "" : `: ${why}`;
  return `${time}  ${String(seq).padStart(5)}  ${action.padEnd(16)}  ${subject.name || subject.id}  by ${actor}${reason}\n`;
}

async function printKept(mesh: Client, sinceSeq: number, print: (event: MeshEvent) => void): Promise<void> {
  let since = sinceSeq;
  for (;;) {
    const events = await mesh.mesh<MeshEvent[]>("/events", { since, limit: pageSize });
    for (const event of events) print(event);
    const last = events.at(-1);
    // The mesh may give fewer than asked for at a time; only an empty answer says that there is no more.
    if (last === undefined || last.seq <= since) return;
    since = last.seq;
  }
}
