// Small words of every page: times, code within a sentence, links to things.

import { formatAgo, formatDuration, formatUtc } from "../text.ts";

/** `3 min ago`, with the moment itself at hand; the browser keeps it true. */
export function TimeAgo({ atMs, nowMs }: { atMs: number; nowMs: number }) {
  return (
    <time datetime={new Date(atMs).toISOString()} title={formatUtc(atMs)} data-ago={atMs}>
      {formatAgo(nowMs - atMs)}
    </time>
  );
}

/** `3 min`: how long something has been so. */
export function Elapsed({ sinceMs, nowMs }: { sinceMs: number; nowMs: number }) {
  return (
    <time datetime={new Date(sinceMs).toISOString()} title={`since ${formatUtc(sinceMs)}`} data-for={sinceMs}>
      {formatDuration(nowMs - sinceMs)}
    </time>
  );
}

/** A sentence in which what stands between backticks is code. */
export function TextWithCode({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>;
}
