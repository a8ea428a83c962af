// Text within a sentence: times that the browser keeps current, and code in backticks.

import { formatAgo, formatDuration, formatUtc } from "../text.ts";

/** `3 min ago`. The exact time is the tooltip. */
export function TimeAgo({ atMs, nowMs }: { atMs: number; nowMs: number }) {
  return (
    <time datetime={new Date(atMs).toISOString()} title={formatUtc(atMs)} data-ago={atMs}>
      {formatAgo(nowMs - atMs)}
    </time>
  );
}

/** `3 min`: the time since then. The exact start is the tooltip. */
export function Elapsed({ sinceMs, nowMs }: { sinceMs: number; nowMs: number }) {
  return (
    <time
      datetime={new Date(sinceMs).toISOString()}
      title={`since ${formatUtc(sinceMs)}`}
      data-since={sinceMs}
    >
      {formatDuration(nowMs - sinceMs)}
    </time>
  );
}

/** Text between backticks becomes code. */
export function TextWithCode({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>;
}
