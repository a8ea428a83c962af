// Reads the query of a request for logs, as dockerd does.

import type { LogStream } from "../../gateway/logs/log-line.ts";
import { badRequest } from "../errors.ts";
import { readFlag } from "../query.ts";

export type LogOptions = {
  readonly streams: readonly LogStream[];
  readonly follow: boolean;
  /** Each line begins with its time. */
  readonly timestamps: boolean;
  /** Each line names its node, service and task. */
  readonly details: boolean;
  /** At most so many of the last lines of each task; null: all. */
  readonly tail: number | null;
  /** A time as in `LogLine`; null: all. */
  readonly since: string | null;
};

/** @throws MeshError request/invalid */
export function readLogOptions(query: Readonly<Record<string, string | undefined>>): LogOptions {
  const streams = (["stdout", "stderr"] as const).filter((name) => readFlag(query[name]));
  if (streams.length === 0) throw badRequest("Bad parameters: you must choose at least one stream");
  return {
    streams,
    follow: readFlag(query.follow),
    timestamps: readFlag(query.timestamps),
    details: readFlag(query.details),
    tail: readTail(query.tail ?? ""),
    since: readSince(query.since ?? ""),
  };
}

function readTail(text: string): number | null {
  if (text === "" || text === "all") return null;
  if (/^-\d+$/.test(text)) throw badRequest("negative tail values not supported");
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw badRequest(`tail value must be a positive integer or "all"`);
}

/** Epoch seconds with up to nine decimals, as Docker's clients send them. */
function readSince(text: string): string | null {
  if (text === "" || text === "0") return null;
  const match = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null)
    throw badRequest(`invalid value for "since": "${text}" is not a number of seconds since 1970`);
  const [, seconds, decimals = ""] = match;
  const whole = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19);
  return `${whole}.${decimals.padEnd(9, "0")}Z`;
}
