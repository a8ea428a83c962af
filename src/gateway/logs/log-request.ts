// What a reader of logs asks a gateway for, as the target of an attempt `logs`:
//
//   /logs?tasks=9xk2…b,7fq1…a@2026-11-28T14:36:24.123456000Z&streams=stdout,stderr&tail=100&since=…&follow=1

import { isLogTime, type LogStream } from "./log-line.ts";

/** A task of the gateway's node. */
type LogTask = {
  readonly id: string;
  /** Lines after this time only, a time of `LogLine`; null: all. */
  readonly after: string | null;
};

export type LogRequest = {
  /** At most `maxLogTasks`. */
  readonly tasks: readonly LogTask[];
  readonly streams: readonly LogStream[];
  /** At most so many of the last lines of each task; null: all. */
  readonly tail: number | null;
  /** Lines of this time or later, a time of `LogLine`; null: all. */
  readonly since: string | null;
  /** Waits for further lines until the tasks have ended. */
  readonly follow: boolean;
};

/** Tasks of one request: a head of a request has a limit. */
export const maxLogTasks = 100;

const idShape = /^[0-9a-z]{1,64}$/;

export function printLogTarget({ tasks, streams, tail, since, follow }: LogRequest): string {
  const parts = [
    `tasks=${tasks.map(({ id, after }) => (after === null ? id : `${id}@${after}`)).join(",")}`,
    `streams=${streams.join(",")}`,
  ];
  if (tail !== null) parts.push(`tail=${tail}`);
  if (since !== null) parts.push(`since=${since}`);
  if (follow) parts.push("follow=1");
  return `/logs?${parts.join("&")}`;
}

/** Reads a target; null if it is not one. */
export function readLogTarget(target: string): LogRequest | null {
  const [path, query = ""] = target.split("?");
  const values = new Map(query.split("&").map((part) => splitOnce(part, "=")));
  const tasks = (values.get("tasks") ?? "").split(",").map(readTask);
  const streams = (values.get("streams") ?? "").split(",");
  const tail = values.get("tail") ?? null;
  const since = values.get("since") ?? null;
  const isRight =
    path === "/logs" &&
    tasks.length <= maxLogTasks &&
    streams.every((name) => name === "stdout" || name === "stderr") &&
    (tail === null || /^\d{1,9}$/.test(tail)) &&
    (since === null || isLogTime(since));
  if (!isRight || tasks.includes(null)) return null;
  return {
    tasks: tasks.filter((task) => task !== null),
    streams: streams as LogStream[],
    tail: tail === null ? null : Number(tail),
    since,
    follow: values.get("follow") === "1",
  };
}

function readTask(text: string): LogTask | null {
  const [id, after] = splitOnce(text, "@");
  if (!idShape.test(id) || (after !== "" && !isLogTime(after))) return null;
  return { id, after: after || null };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
