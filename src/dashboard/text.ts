// Words for numbers and times, the same on the server and in the browser.

/** `1 task`, `3 tasks`. */
export function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}

/** How long, in the largest unit that says it: `12 s`, `3 min`, `2 h`, `5 d`. Never negative. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `3 min ago`; `just now` within the last second or so. */
export function ago(ms: number): string {
  return ms < 2_000 ? "just now" : `${duration(ms)} ago`;
}

/** `2026-11-24 16:55:01 UTC`. */
export function moment(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
