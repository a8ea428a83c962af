// Measured runs of a release, in a file of results/: `before.json`, `after.json`.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const count = z.number().nonnegative();
const EventCounts = z.object({ count, ms: count });
const RowCounts = z.object({ read: count, written: count });

/** What happened to the objects of one class in the measured time; see src/local/platform/object-counts.ts. */
const ObjectRecord = z.object({
  events: z.record(z.string(), EventCounts),
  starts: EventCounts.extend({ rowsRead: count }),
  activeMs: count,
  rows: RowCounts,
  /** At the end. */
  storedBytes: count,
});
export type ObjectRecord = z.infer<typeof ObjectRecord>;

/** What the platform counted in the measured time. */
const RunRecord = z.object({
  name: z.string(),
  transport: z.enum(["direct", "tunnel"]),
  nodes: count,
  services: count,
  tasks: count,
  isolates: count,
  places: count,
  seconds: z.number().positive(),
  /** Tasks that were replaced. */
  replacements: count,
  requests: count,
  /** Requests without a 2xx response. */
  failed: count,
  /** By caller and object, such as `isolate REGISTRY`. */
  calls: z.record(z.string(), z.object({ count, replyBytes: count })),
  objects: z.record(z.string(), ObjectRecord),
});
export type RunRecord = z.infer<typeof RunRecord>;

const Recording = z.object({
  recordedOn: z.iso.date(),
  /** The commit of the code that ran. */
  commit: z.string(),
  runs: z.array(RunRecord),
  /** A busy data plane without the platform's rules, which take CPU time themselves: workerd as a whole. */
  cpu: z.object({ requests: z.number().positive(), cpuMs: count }),
  /** Rows that the telemetry writes for changed items, and those that it has for all. */
  telemetryRows: z.array(z.object({ items: count, written: count, stored: count })),
});
export type Recording = z.infer<typeof Recording>;

/** The names of recordings, oldest first: that of the code before the changes of the calls, and that of this code. */
export const recordingNames = ["before", "after"] as const;
export type RecordingName = (typeof recordingNames)[number];

/** @throws Error if it does not exist, or cannot be read */
export function readRecording(name: RecordingName): Recording {
  const recording = findRecording(name);
  if (recording === null)
    throw new Error(`no results in ${pathOf(name)}: run npm run cost -- --measure --results ${name}`);
  return recording;
}

/** Null if it does not exist. @throws Error if it cannot be read */
export function findRecording(name: RecordingName): Recording | null {
  const path = pathOf(name);
  return existsSync(path) ? Recording.parse(JSON.parse(readFileSync(path, "utf8"))) : null;
}

/** The newest recording that there is. */
export function newestRecording(): RecordingName {
  return recordingNames.findLast((name) => existsSync(pathOf(name))) ?? "before";
}

export function writeRecording(name: RecordingName, recording: Recording): void {
  writeFileSync(pathOf(name), `${JSON.stringify(recording, null, 2)}\n`);
}

function pathOf(name: RecordingName): string {
  return fileURLToPath(new URL(`results/${name}.json`, import.meta.url));
}
