// The keys of `waggle top`.

const topHelpLines = [
  "a s n t     all, services, nodes, tasks; tab goes round",
  "N S R E L T sort by name, state, requests, errors, latency (p95), retries",
  "< >         sort by the column left or right of it; r turns the order round",
  "/           filter: type, then enter; esc clears it",
  "up down     scroll; page up, page down, home",
  "space       pause",
  "q           quit",
  "",
  "REQ/S and the columns right of it are of the last 10 seconds; ERR% are answers from 500 up",
  "and requests without one. P50, P95 and P99 are milliseconds to the first byte of an answer.",
  "",
  "Any key goes back.",
];

export function helpLines(columns: number): readonly string[] {
  return topHelpLines.map((line) => [...line].slice(0, columns).join(""));
}
