// The columns of the page: HAProxy's groups, each cell read from the same values that the CSV prints.

import type { ColumnName } from "./columns.ts";
import type { StatsRow, Values } from "./report.ts";
import { humanTime } from "./time.ts";

export type Cell = {
  readonly title: string;
  /** What it tells, for who does not know HAProxy. */
  readonly meaning: string;
  /** Read from left to right, unlike a number. */
  readonly isWord: boolean;
  /** What the cell says, and what more there is to it. */
  readonly of: (row: StatsRow) => { readonly text: string; readonly more: string };
};

export type Group = { readonly title: string; readonly cells: readonly Cell[] };

export const groups: readonly Group[] = [
  {
    title: "Queue",
    cells: [
      number("Cur", "requests that wait for a server now", "qcur"),
      number("Max", "the most that ever waited", "qmax"),
      limit("Limit", "how many may wait", "qlimit", ["server"]),
    ],
  },
  {
    title: "Session rate",
    cells: [
      number("Cur", "requests in the last second", "rate"),
      number("Max", "the most in one second", "rate_max"),
      limit("Limit", "how many a second are let in", "rate_lim", ["frontend"]),
    ],
  },
  {
    title: "Sessions",
    cells: [
      number("Cur", "requests under way", "scur"),
      number("Max", "the most ever under way", "smax"),
      limit("Limit", "how many may be under way", "slim", ["frontend", "server", "backend"]),
      { ...number("Total", "requests so far", "stot"), of: total },
      number("LbTot", "times it was picked", "lbtot"),
      time("Last", "time since the last request", "lastsess"),
    ],
  },
  {
    title: "Bytes",
    cells: [number("In", "bytes of requests", "bin"), number("Out", "bytes of responses", "bout")],
  },
  {
    title: "Denied",
    cells: [number("Req", "requests denied", "dreq"), number("Resp", "responses denied", "dresp")],
  },
  {
    title: "Errors",
    cells: [
      number("Req", "requests that could not be read or were given up", "ereq"),
      number("Conn", "servers that could not be reached", "econ"),
      number("Resp", "responses that broke off or did not come", "eresp"),
    ],
  },
  {
    title: "Warnings",
    cells: [
      number("Retr", "further tries after a failed one", "wretr"),
      number("Redis", "requests taken to another server", "wredis"),
    ],
  },
  {
    title: "Server",
    cells: [
      { title: "Status", meaning: "how it is, and for how long", isWord: true, of: status },
      { title: "LastChk", meaning: "what the last check found", isWord: true, of: lastCheck },
      { ...number("Wght", "its share of requests: effective/set", "weight"), of: weight },
      {
        title: "Act",
        meaning: "in its turn (backend: how many)",
        isWord: true,
        of: (row) => yesOrCount(row, "act"),
      },
      {
        title: "Bck",
        meaning: "a backup (backend: how many)",
        isWord: true,
        of: (row) => yesOrCount(row, "bck"),
      },
      number("Chk", "failed checks", "chkfail"),
      number("Dwn", "times it went down", "chkdown"),
      time("Dwntme", "how long it was down in all", "downtime"),
      { ...number("Thrtle", "share of its weight while it warms up", "throttle"), of: throttle },
    ],
  },
];

const plain = (text: string) => ({ text, more: "" });

function number(title: string, meaning: string, column: ColumnName): Cell {
  return { title, meaning, isWord: false, of: ({ values }) => plain(grouped(values[column])) };
}

function time(title: string, meaning: string, column: ColumnName): Cell {
  const of = ({ values }: StatsRow) => {
    const length = values[column];
    if (typeof length !== "number") return plain("");
    return plain(length < 0 ? "never" : humanTime(length));
  };
  return { title, meaning, isWord: false, of };
}

/** A limit that is not set shows as a dash in the rows that may have one. */
function limit(title: string, meaning: string, column: ColumnName, kinds: readonly StatsRow["kind"][]): Cell {
  const of = ({ kind, values }: StatsRow) =>
    plain(values[column] === undefined && kinds.includes(kind) ? "-" : grouped(values[column]));
  return { title, meaning, isWord: false, of };
}

function status({ values }: StatsRow) {
  const { lastchg, status = "" } = values;
  const since = typeof lastchg === "number" ? `${humanTime(lastchg)} ` : "";
  const moves = /^UP \d/.test(String(status)) ? " ↓" : /^DOWN \d/.test(String(status)) ? " ↑" : "";
  return plain(`${since}${status}${moves}`);
}

function lastCheck({ values }: StatsRow) {
  const { check_status, check_code, check_duration, check_desc = "", last_chk = "" } = values;
  // Not a check's result but a reason in words, which is worth more than a code.
  if (check_status === undefined || check_status === "UNK") return plain(String(last_chk));
  const code = check_code === undefined ? "" : `/${check_code}`;
  const took = check_duration === undefined ? "" : ` in ${check_duration}ms`;
  const more = [check_desc, last_chk].filter((text) => text !== "").join(": ");
  return { text: `${check_status}${code}${took}`, more };
}

function weight({ kind, values }: StatsRow) {
  const { weight, uweight } = values;
  if (kind === "frontend" || weight === undefined) return plain("");
  return plain(`${weight}/${uweight}`);
}

function yesOrCount({ kind, values }: StatsRow, column: "act" | "bck") {
  if (kind === "frontend") return plain("");
  if (kind === "backend") return plain(grouped(values[column]));
  return plain(values[column] === 1 ? "Y" : "-");
}

function throttle({ kind, values }: StatsRow) {
  if (values.throttle !== undefined) return plain(`${values.throttle}%`);
  return plain(kind === "server" ? "-" : "");
}

const classes = [
  ["hrsp_1xx", "1xx"],
  ["hrsp_2xx", "2xx"],
  ["hrsp_3xx", "3xx"],
  ["hrsp_4xx", "4xx"],
  ["hrsp_5xx", "5xx"],
  ["hrsp_other", "other"],
] as const;

/** Requests so far; more: what they were answered, and how long that took. */
function total({ values }: StatsRow) {
  const more = values.stot === 0 ? [] : [...responses(values), ...times(values)];
  return { text: grouped(values.stot), more: more.join("\n") };
}

function responses(values: Values): readonly string[] {
  const sum = classes.reduce((all, [column]) => all + Number(values[column] ?? 0), 0);
  return classes.flatMap(([column, name]) => {
    const count = values[column];
    if (count === undefined) return [];
    const share = sum === 0 ? 0 : Math.round((Number(count) * 100) / sum);
    return `${name} responses: ${grouped(count)} (${share}%)`;
  });
}

function times({ rtime, rtime_max, ttime }: Values): readonly string[] {
  return [
    rtime !== undefined &&
      `response time: ${rtime} ms on average${rtime_max === undefined ? "" : `, ${rtime_max} ms at most`}`,
    ttime !== undefined && `total time: ${ttime} ms on average`,
  ].filter((line) => line !== false);
}

const digits = new Intl.NumberFormat("en");

/** 12 345, in groups of three by narrow spaces. */
function grouped(value: number | string | undefined): string {
  if (typeof value !== "number") return value ?? "";
  return digits.format(value).replaceAll(",", "\u202f");
}
