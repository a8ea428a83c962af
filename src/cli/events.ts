// `waggle events`: who did what to which object, and why.

import type { Command } from "commander";
import { type MeshEvent, maxEventsKept } from "../domain/model/event.ts";
import { printable, printableJson } from "../domain/model/printable.ts";
import type { Cli } from "./cli.ts";
import type { MeshClient } from "./client.ts";
import { CliError, exitCodes, usageError } from "./errors.ts";
import { type EventPoint, eventFilter, eventFilterKeys, isAfter, readEventPoint } from "./event-filter.ts";
import { type FilterFlags, filterFlag, groupFilters } from "./filter.ts";
import { connect, type MeshFlags, meshFlags, valueFlag } from "./flags.ts";
import { type Format, formatFlag, printFormatted } from "./format.ts";
import { listOf } from "./shapes.ts";
import { readCountArgument } from "./values.ts";

/** Number of events per request. */
const eventPageSize = 500;

/** Number of events shown without --tail and --since. */
const defaultTail = 100;

type Flags = MeshFlags &
  FilterFlags & { format?: Format; follow?: boolean; since?: EventPoint; until?: EventPoint; tail?: number };

const eventsHelp = `
Examples:
  waggle events -f
  waggle events --since 10m --filter type=service
  waggle events --filter service=my-web --filter action=update
  waggle events -f --format '{{.action}} {{.subject.name}}: {{.why}}'
  waggle events --json --since 0 | jq 'select(.action == "task.failed")'

Filters: values of one key are alternatives, and every key must match. action=create matches service.create and
the others; service=NAME, node=NAME and the like match what the event is about; actor= is operator, registry or
the name of a node.`;

export function registerEvents(program: Command, cli: Cli): void {
  const readPoint = (text: string) => readEventPoint(text, cli.nowMs());
  const command = program
    .command("events")
    .summary("get events of the mesh: who did what, and why")
    .description("Print the events that the mesh keeps, oldest first; with --json one JSON object per line.")
    .option("-f, --follow", "follow new events; reconnects without gaps or repeats")
    .addOption(
      valueFlag(
        "-n, --tail <count>",
        `number of newest events to show (default: ${defaultTail}, or all with --since)`,
        readTail,
      ),
    )
    .addOption(
      valueFlag("--since <when>", "show events since a time or duration (10m), or after a number", readPoint),
    )
    .addOption(
      valueFlag("--until <when>", "show events until a time, a duration ago, or a number", readPoint),
    )
    .addOption(filterFlag(eventFilterKeys.join(", "), null));
  meshFlags(command.addOption(formatFlag()))
    .addHelpText("after", eventsHelp)
    .action((flags: Flags) => events(cli, command, flags));
}

async function events(cli: Cli, command: Command, flags: Flags): Promise<void> {
  const { since, until } = flags;
  if (flags.follow && until !== undefined) throw usageError("--until and --follow exclude each other");
  const isWanted = eventFilter(groupFilters(flags));
  const mesh = await connect(command, cli);
  const print = (event: MeshEvent) => {
    if (flags.format !== undefined && flags.format.kind !== "pretty")
      return printFormatted(cli.out, flags.format, [event]);
    cli.out.write(`${flags.json ? printableJson(JSON.stringify(event)) : printable(eventLine(event))}\n`);
  };
  const stored = since?.kind === "number" ? await eventsSince(mesh, since.seq) : await newestEvents(mesh);
  const chosen = stored.filter(
    (event) =>
      isWanted(event) &&
      (since === undefined || isAfter(since, event)) &&
      (until === undefined || !isAfter(until, event)),
  );
  const tail = flags.tail ?? (since === undefined ? defaultTail : chosen.length);
  for (const event of tail === 0 ? [] : chosen.slice(-tail)) print(event);
  if (!flags.follow) return;
  const lastSeq = stored.at(-1)?.seq ?? (since?.kind === "number" ? since.seq : 0);
  const { followEvents } = await import("./follow-events.ts");
  const printWanted = (event: MeshEvent) => void (isWanted(event) && print(event));
  await followEvents(cli, mesh.target, lastSeq, printWanted, cli.onInterrupt());
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

async function newestEvents(mesh: MeshClient): Promise<readonly MeshEvent[]> {
  return mesh.getNative("/events", await meshEvents(), { limit: maxEventsKept });
}

/** All events after a number. */
async function eventsSince(mesh: MeshClient, sinceSeq: number): Promise<readonly MeshEvent[]> {
  const found: MeshEvent[] = [];
  const shape = await meshEvents();
  for (let since = sinceSeq; ; ) {
    const page = await mesh.getNative("/events", shape, { since, limit: eventPageSize });
    found.push(...page);
    const last = page.at(-1);
    // A response may have fewer events than the limit. Only an empty one is the end.
    if (last === undefined || last.seq <= since) return found;
    since = last.seq;
  }
}

/** The shape of a list of events. */
async function meshEvents() {
  const { EventFrame } = await import("../protocol/watch.ts");
  return listOf(EventFrame.shape.event);
}

function readTail(text: string): number {
  const count = readCountArgument(text);
  if (count > maxEventsKept)
    throw usageError(`must be at most ${maxEventsKept}, the number of events that the mesh keeps`);
  return count;
}
