// The columns of the page, in HAProxy's groups. Cells show the same values as the CSV.

import type { ColumnName } from "./columns.ts";
import type { ColumnValues, StatsRow } from "./report.ts";
import { humanTime } from "./time.ts";

export type PageColumn = {
  readonly title: string;
  /** Explains the column in its tooltip. */
  readonly description: string;
  /** Aligned left, unlike a number. */
  readonly isText: boolean;
  /** The cell's text, and its tooltip. */
  readonly contentOf: (row: StatsRow) => { readonly text: string; readonly tooltip: string };
};

type ColumnGroup = { readonly title: string; readonly columns: readonly PageColumn[] };

export const columnGroups: readonly ColumnGroup[] = [
  {
    title: "Queue",
    columns: [
      numberColumn("Cur", "requests in the queue", "qcur"),
      numberColumn("Max", "maximum in the queue", "qmax"),
      limitColumn("Limit", "limit of the queue", "qlimit", ["server"]),
    ],
  },
  {
    title: "Session rate",
    columns: [
      numberColumn("Cur", "requests per second", "rate"),
      numberColumn("Max", "maximum per second", "rate_max"),
      limitColumn("Limit", "limit per second", "rate_lim", ["frontend"]),
    ],
  },
  {
    title: "Sessions",
    columns: [
      numberColumn("Cur", "requests in progress", "scur"),
      numberColumn("Max", "maximum in progress", "smax"),
      limitColumn("Limit", "limit of requests in progress", "slim", ["frontend", "server", "backend"]),
      { ...numberColumn("Total", "requests so far", "stot"), contentOf: totalContent },
      numberColumn("LbTot", "times it was selected", "lbtot"),
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
      numberColumn("Req", "invalid or aborted requests", "ereq"),
      numberColumn("Conn", "failed connections to servers", "econ"),
      numberColumn("Resp", "aborted or missing responses", "eresp"),
    ],
  },
  {
    title: "Warnings",
    columns: [
      numberColumn("Retr", "retries", "wretr"),
      numberColumn("Redis", "requests redispatched to another server", "wredis"),
    ],
  },
  {
    title: "Server",
    columns: [
      {
        title: "Status",
        description: "status, and time since it changed",
        isText: true,
        contentOf: statusContent,
      },
      {
        title: "LastChk",
        description: "result of the last check",
        isText: true,
        contentOf: lastCheckContent,
      },
      { ...numberColumn("Wght", "weight: effective/configured", "weight"), contentOf: weightContent },
      {
        title: "Act",
        description: "active server (backend: how many)",
        isText: true,
        contentOf: (row) => flagOrCountContent(row, "act"),
      },
      {
        title: "Bck",
        description: "backup server (backend: how many)",
        isText: true,
        contentOf: (row) => flagOrCountContent(row, "bck"),
      },
      numberColumn("Chk", "failed checks", "chkfail"),
      numberColumn("Dwn", "transitions to down", "chkdown"),
      timeColumn("Dwntme", "total downtime", "downtime"),
      {
        ...numberColumn("Thrtle", "percentage of its weight during slow start", "throttle"),
        contentOf: throttleContent,
      },
    ],
  },
];

const plain = (text: string) => ({ text, tooltip: "" });

function numberColumn(title: string, description: string, column: ColumnName): PageColumn {
  return {
    title,
    description,
    isText: false,
    contentOf: ({ values }) => plain(formatGrouped(values[column])),
  };
}

function timeColumn(title: string, description: string, column: ColumnName): PageColumn {
  const contentOf = ({ values }: StatsRow) => {
    const totalS = values[column];
    if (typeof totalS !== "number") return plain("");
    return plain(totalS < 0 ? "never" : humanTime(totalS));
  };
  return { title, description, isText: false, contentOf };
}

/** An unset limit is a dash in rows of these kinds. */
function limitColumn(
  title: string,
  description: string,
  column: ColumnName,
  kinds: readonly StatsRow["kind"][],
): PageColumn {
  const contentOf = ({ kind, values }: StatsRow) =>
    plain(values[column] === undefined && kinds.includes(kind) ? "-" : formatGrouped(values[column]));
  return { title, description, isText: false, contentOf };
}

function statusContent({ values }: StatsRow) {
  const { lastchg, status = "" } = values;
  const since = typeof lastchg === "number" ? `${humanTime(lastchg)} ` : "";
  const trend = /^UP \d/.test(String(status)) ? " ↓" : /^DOWN \d/.test(String(status)) ? " ↑" : "";
  return plain(`${since}${status}${trend}`);
}

function lastCheckContent({ values }: StatsRow) {
  const { check_status, check_code, check_duration, check_desc = "", last_chk = "" } = values;
  // A reason in words says more than the code of an unknown result.
  if (check_status === undefined || check_status === "UNK") return plain(String(last_chk));
  const code = check_code === undefined ? "" : `/${check_code}`;
  const duration = check_duration === undefined ? "" : ` in ${check_duration}ms`;
  const tooltip = [check_desc, last_chk].filter((text) => text !== "").join(": ");
  return { text: `${check_status}${code}${duration}`, tooltip };
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

/** Requests so far; the tooltip has their responses by class, and their times. */
function totalContent({ values }: StatsRow) {
  const lines = values.stot === 0 ? [] : [...responses(values), ...times(values)];
  return { text: formatGrouped(values.stot), tooltip: lines.join("\n") };
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
      `response time: ${rtime} ms on average${rtime_max === undefined ? "" : `, ${rtime_max} ms maximum`}`,
    ttime !== undefined && `total time: ${ttime} ms on average`,
  ].filter((line) => line !== false);
}

const groupedNumberFormat = new Intl.NumberFormat("en");

/** Groups digits by narrow spaces, as in 12 345. */
function formatGrouped(value: number | string | undefined): string {
  if (typeof value !== "number") return value ?? "";
  return groupedNumberFormat.format(value).replaceAll(",", "\u202f");
}
