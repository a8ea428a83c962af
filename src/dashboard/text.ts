// Formats numbers and times as text, alike on the server and in the browser.

/** `1 task`, `3 tasks`. */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** An error message as a sentence. Messages start in lower case: commands print them after a prefix. */
export function asSentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** `1,234`. */
export function formatInteger(value: number): string {
  return value.toLocaleString("en-US");
}

/** `12 s`, `3 min`, `2 h`, `5 d`; hours up to two days. A negative duration counts as zero. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `3 min ago`; `just now` for less than two seconds. */
export function formatAgo(ms: number): string {
  return ms < 2_000 ? "just now" : `${formatDuration(ms)} ago`;
}

/** `2026-11-24 16:55:01 UTC`. */
export function formatUtc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `0`, `0.4`, `12.3`, `940`, `12.3 k`: three digits or so. */
export function formatRate(value: number): string {
  if (value === 0) return "0";
  if (value < 0.05) return "<0.1";
  if (value < 99.95) return value.toFixed(1).replace(/\.0$/, "");
  return value < 9_999.5 ? Math.round(value).toLocaleString("en-US") : `${(value / 1_000).toFixed(1)} k`;
}

/** `12.3/s`. */
export function formatPerSecond(value: number): string {
  return `${formatRate(value)}/s`;
}

/** `0.8 ms`, `12 ms`, `1.2 s`. */
export function formatMilliseconds(ms: number): string {
  if (ms === 0) return "0 ms";
  if (ms < 9.95) return `${ms.toFixed(1).replace(/\.0$/, "")} ms`;
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1).replace(/\.0$/, "")} s`;
}

/** `0 %`, `<0.1 %`, `2.5 %`. @param share 0 to 1 */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0 %";
  if (percent < 0.05) return "<0.1 %";
  return `${percent.toFixed(1).replace(/\.0$/, "")} %`;
}
