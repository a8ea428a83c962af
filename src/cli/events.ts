// `waggle events`: who did what to which object, and why.

import type { Command } from "commander";
import { type MeshEvent, maxEventsKept } from "../domain/model/event.ts";
import { printable, printableJson } from "../domain/model/printable.ts";
import { EventFrame } from "../protocol/watch.ts";
import type { Cli } from "./cli.ts";
import type { MeshClient } from "./client.ts";
import { CliError, exitCodes, usageError } from "./errors.ts";
import { connect, type MeshFlags, meshFlags, valueFlag } from "./flags.ts";
import { listOf } from "./shapes.ts";
import { readCountArgument } from "./values.ts";

/** Number of events per request. */
const eventPageSize = 500;

/** Number of events shown without --tail and --since. */
const defaultTail = 100;

type Flags = MeshFlags & { follow?: boolean; since?: number; tail: number };

export function registerEvents(program: Command, cli: Cli): void {
  const command = program
    .command("events")
    .summary("get events of the mesh: who did what, and why")
    .description("Print the events that the mesh keeps, oldest first; with --json one JSON object per line.")
    .option("-f, --follow", "follow new events; reconnects without gaps or repeats")
    .addOption(
      valueFlag("-n, --tail <count>", "number of newest events to show", readTail).default(defaultTail),
    )
    .addOption(valueFlag("--since <number>", "show all events after this number", readCountArgument));
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle events -f\n  waggle events --json --since 0 | jq 'select(.action == \"task.failed\")'",
    )
    .action((flags: Flags) => events(cli, command, flags));
}

async function events(cli: Cli, command: Command, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const print = (event: MeshEvent) => {
    cli.out.write(`${flags.json ? printableJson(JSON.stringify(event)) : printable(eventLine(event))}\n`);
  };
  const lastSeq =
    flags.since === undefined
      ? await printTail(mesh, flags.tail, print)
      : await printSince(mesh, flags.since, print);
  if (!flags.follow) return;
  const { followEvents } = await import("./follow-events.ts");
  await followEvents(cli, mesh.target, lastSeq, print, cli.onInterrupt());
  throw new CliError(exitCodes.interrupted, "");
}

/**
 * Fixed column widths, because later events are unknown while following. The longest action is
 * `mesh.rotate-token`; a longer name shifts only its own line.
 */
const eventColumnWidths = { seq: 5, action: 17, subject: 16, actor: 16 };

/** `2026-11-01T12:00:00.000Z     42  service.create     my-web            by operator       why` */
function eventLine(event: MeshEvent): string {
  const { seq, action, subject, actor, why } = event;
  const cells = [
    new Date(event.atMs).toISOString(),
    String(seq).padStart(eventColumnWidths.seq),
    action.padEnd(eventColumnWidths.action),
    (subject.name || subject.id).padEnd(eventColumnWidths.subject),
    `by ${actor}`.padEnd(eventColumnWidths.actor),
    why,
  ];
  return cells.join("  ").trimEnd();
}

const meshEvents = listOf(EventFrame.shape.event);

type PrintEvent = (event: MeshEvent) => void;

/** Prints the newest events. @returns the number of the last event */
async function printTail(mesh: MeshClient, limit: number, print: PrintEvent): Promise<number> {
  const newest = await mesh.getNative("/events", meshEvents, { limit: Math.max(1, limit) });
  for (const event of limit === 0 ? [] : newest) print(event);
  return newest.at(-1)?.seq ?? 0;
}

/** Prints all events after a number. @returns the number of the last event */
async function printSince(mesh: MeshClient, sinceSeq: number, print: PrintEvent): Promise<number> {
  let since = sinceSeq;
  for (;;) {
    const page = await mesh.getNative("/events", meshEvents, { since, limit: eventPageSize });
    for (const event of page) print(event);
    const last = page.at(-1);
    // A response may have fewer events than the limit. Only an empty one is the end.
    if (last === undefined || last.seq <= since) return since;
    since = last.seq;
  }
}

function readTail(text: string): number {
  const count = readCountArgument(text);
  if (count > maxEventsKept)
    throw usageError(`must be at most ${maxEventsKept}, the number of events that the mesh keeps`);
  return count;
}
