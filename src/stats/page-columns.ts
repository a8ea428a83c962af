// The columns of the page: HAProxy's groups, each cell read from the same values that the CSV prints.

import type { ColumnName } from "./columns.ts";
import type { ColumnValues, StatsRow } from "./report.ts";
import { humanTime } from "./time.ts";

export type PageColumn = {
  readonly title: string;
  /** What it tells, for who does not know HAProxy. */
  readonly description: string;
  /** Read from left to right, unlike a number. */
  readonly isText: boolean;
  /** What the cell says, and what more there is to it. */
  readonly contentOf: (row: StatsRow) => { readonly text: string; readonly more: string };
};

export type ColumnGroup = { readonly title: string; readonly columns: readonly PageColumn[] };

export const columnGroups: readonly ColumnGroup[] = [
  {
    title: "Queue",
    columns: [
      numberColumn("Cur", "requests that wait for a server now", "qcur"),
      numberColumn("Max", "the most that ever waited", "qmax"),
      limitColumn("Limit", "how many may wait", "qlimit", ["server"]),
    ],
  },
  {
    title: "Session rate",
    columns: [
      numberColumn("Cur", "requests in the last second", "rate"),
      numberColumn("Max", "the most in one second", "rate_max"),
      limitColumn("Limit", "how many a second are let in", "rate_lim", ["frontend"]),
    ],
  },
  {
    title: "Sessions",
    columns: [
      numberColumn("Cur", "requests under way", "scur"),
      numberColumn("Max", "the most ever under way", "smax"),
      limitColumn("Limit", "how many may be under way", "slim", ["frontend", "server", "backend"]),
      { ...numberColumn("Total", "requests so far", "stot"), contentOf: totalContent },
      numberColumn("LbTot", "times it was picked", "lbtot"),
      timeColumn("Last", "time since the last request", "lastsess"),
    ],
  },
  {
    title: "Bytes",
    columns: [
      numberColumn("In", "bytes of requests", "bin"),
      numberColumn("Out", "bytes of responses", "bout"),
    ],
  },
  {
    title: "Denied",
    columns: [
      numberColumn("Req", "requests denied", "dreq"),
      numberColumn("Resp", "responses denied", "dresp"),
    ],
  },
  {
    title: "Errors",
    columns: [
      numberColumn("Req", "requests that could not be read or were given up", "ereq"),
      numberColumn("Conn", "servers that could not be reached", "econ"),
      numberColumn("Resp", "responses that broke off or did not come", "eresp"),
    ],
  },
  {
    title: "Warnings",
    columns: [
      numberColumn("Retr", "further tries after a failed one", "wretr"),
      numberColumn("Redis", "requests taken to another server", "wredis"),
    ],
  },
  {
    title: "Server",
    columns: [
      { title: "Status", description: "how it is, and for how long", isText: true, contentOf: statusContent },
      {
        title: "LastChk",
        description: "what the last check found",
        isText: true,
        contentOf: lastCheckContent,
      },
      { ...numberColumn("Wght", "its share of requests: effective/set", "weight"), contentOf: weightContent },
      {
        title: "Act",
        description: "in its turn (backend: how many)",
        isText: true,
        contentOf: (row) => flagOrCountContent(row, "act"),
      },
      {
        title: "Bck",
        description: "a backup (backend: how many)",
        isText: true,
        contentOf: (row) => flagOrCountContent(row, "bck"),
      },
      numberColumn("Chk", "failed checks", "chkfail"),
      numberColumn("Dwn", "times it went down", "chkdown"),
      timeColumn("Dwntme", "how long it was down in all", "downtime"),
      {
        ...numberColumn("Thrtle", "share of its weight while it warms up", "throttle"),
        contentOf: throttleContent,
      },
    ],
  },
];

const plain = (text: string) => ({ text, more: "" });

function numberColumn(title: string, meaning: string, column: ColumnName): PageColumn {
  return {
    title,
    description: meaning,
    isText: false,
    contentOf: ({ values }) => plain(formatGrouped(values[column])),
  };
}

function timeColumn(title: string, meaning: string, column: ColumnName): PageColumn {
  const of = ({ values }: StatsRow) => {
    const length = values[column];
    if (typeof length !== "number") return plain("");
    return plain(length < 0 ? "never" : humanTime(length));
  };
  return { title, description: meaning, isText: false, contentOf: of };
}

/** A limit that is not set shows as a dash in the rows that may have one. */
function limitColumn(
  title: string,
  meaning: string,
  column: ColumnName,
  kinds: readonly StatsRow["kind"][],
): PageColumn {
  const of = ({ kind, values }: StatsRow) =>
    plain(values[column] === undefined && kinds.includes(kind) ? "-" : formatGrouped(values[column]));
  return { title, description: meaning, isText: false, contentOf: of };
}

function statusContent({ values }: StatsRow) {
  const { lastchg, status = "" } = values;
  const since = typeof lastchg === "number" ? `${humanTime(lastchg)} ` : "";
  const moves = /^UP \d/.test(String(status)) ? " ↓" : /^DOWN \d/.test(String(status)) ? " ↑" : "";
  return plain(`${since}${status}${moves}`);
}

function lastCheckContent({ values }: StatsRow) {
  const { check_status, check_code, check_duration, check_desc = "", last_chk = "" } = values;
  // Not a check's result but a reason in words, which is worth more than a code.
  if (check_status === undefined || check_status === "UNK") return plain(String(last_chk));
  const code = check_code === undefined ? "" : `/${check_code}`;
  const took = check_duration === undefined ? "" : ` in ${check_duration}ms`;
  const more = [check_desc, last_chk].filter((text) => text !== "").join(": ");
  return { text: `${check_status}${code}${took}`, more };
}

function weightContent({ kind, values }: StatsRow) {
  const { weight, uweight } = values;
  if (kind === "frontend" || weight === undefined) return plain("");
  return plain(`${weight}/${uweight}`);
}

function flagOrCountContent({ kind, values }: StatsRow, column: "act" | "bck") {
  if (kind === "frontend") return plain("");
  if (kind === "backend") return plain(formatGrouped(values[column]));
  return plain(values[column] === 1 ? "Y" : "-");
}

function throttleContent({ kind, values }: StatsRow) {
  if (values.throttle !== undefined) return plain(`${values.throttle}%`);
  return plain(kind === "server" ? "-" : "");
}

const responseClassColumns = [
  ["hrsp_1xx", "1xx"],
  ["hrsp_2xx", "2xx"],
  ["hrsp_3xx", "3xx"],
  ["hrsp_4xx", "4xx"],
  ["hrsp_5xx", "5xx"],
  ["hrsp_other", "other"],
] as const;

/** Requests so far; more: what they were answered, and how long that took. */
function totalContent({ values }: StatsRow) {
  const more = values.stot === 0 ? [] : [...responses(values), ...times(values)];
  return { text: formatGrouped(values.stot), more: more.join("\n") };
}

function responses(values: ColumnValues): readonly string[] {
  const sum = responseClassColumns.reduce((all, [column]) => all + Number(values[column] ?? 0), 0);
  return responseClassColumns.flatMap(([column, name]) => {
    const count = values[column];
    if (count === undefined) return [];
    const share = sum === 0 ? 0 : Math.round((Number(count) * 100) / sum);
    return `${name} responses: ${formatGrouped(count)} (${share}%)`;
  });
}

function times({ rtime, rtime_max, ttime }: ColumnValues): readonly string[] {
  return [
    rtime !== undefined &&
      `response time: ${rtime} ms on average${rtime_max === undefined ? "" : `, ${rtime_max} ms at most`}`,
    ttime !== undefined && `total time: ${ttime} ms on average`,
  ].filter((line) => line !== false);
}

const groupedNumberFormat = new Intl.NumberFormat("en");

/** 12 345, in groups of three by narrow spaces. */
function formatGrouped(value: number | string | undefined): string {
  if (typeof value !== "number") return value ?? "";
  return groupedNumberFormat.format(value).replaceAll(",", "\u202f");
}
