// The columns of HAProxy's statistics, in HAProxy's order. Readers go by position, so the order is
// append-only, and columns without values stay in it.
//
// A column has a name, the kinds of rows that use it (F frontend, B backend, S server), the tags of HAProxy's
// typed output (origin/nature/scope), and the type of its values. See HAProxy's management guide, 9.1 and
// 9.2.

/** The kind of a row. Waggle has no listener rows, which HAProxy has only if configured. */
export type RowKind = "frontend" | "backend" | "server";

/** Name, kinds of rows, origin/nature/scope, type of values. */
type ColumnRow = readonly [string, string, string, "str" | "u32" | "s32" | "u64"];

const columnTable = [
  ["pxname", "FBS", "Key/Name/Service", "str"],
  ["svname", "FBS", "Key/Name/Service", "str"],
  ["qcur", "BS", "Metric/Gauge/Process", "u32"],
  ["qmax", "BS", "Metric/Max/Process", "u32"],
  ["scur", "FBS", "Metric/Gauge/Process", "u32"],
  ["smax", "FBS", "Metric/Max/Process", "u32"],
  ["slim", "FBS", "Config/Limit/Process", "u32"],
  ["stot", "FBS", "Metric/Counter/Process", "u64"],
  ["bin", "FBS", "Metric/Counter/Process", "u64"],
  ["bout", "FBS", "Metric/Counter/Process", "u64"],
  ["dreq", "FB", "Metric/Counter/Process", "u64"],
  ["dresp", "FBS", "Metric/Counter/Process", "u64"],
  ["ereq", "F", "Metric/Counter/Process", "u64"],
  ["econ", "BS", "Metric/Counter/Process", "u64"],
  ["eresp", "BS", "Metric/Counter/Process", "u64"],
  ["wretr", "BS", "Metric/Counter/Process", "u64"],
  ["wredis", "BS", "Metric/Counter/Process", "u64"],
  ["status", "FBS", "Status/Gauge/Process", "str"],
  ["weight", "BS", "Metric/Avg/Process", "u32"],
  ["act", "BS", "Status/Gauge/Process", "u32"],
  ["bck", "BS", "Status/Gauge/Process", "u32"],
  ["chkfail", "S", "Metric/Counter/Process", "u64"],
  ["chkdown", "BS", "Metric/Counter/Process", "u64"],
  ["lastchg", "BS", "Metric/Age/Process", "u32"],
  ["downtime", "BS", "Metric/Counter/Process", "u32"],
  ["qlimit", "S", "Config/Limit/Service", "u32"],
  ["pid", "FBS", "Key/Gauge/Process", "u32"],
  ["iid", "FBS", "Key/Gauge/Service", "u32"],
  ["sid", "FBS", "Key/Gauge/Service", "u32"],
  ["throttle", "S", "Metric/Avg/Process", "u32"],
  ["lbtot", "BS", "Metric/Counter/Process", "u64"],
  ["tracked", "S", "Config/Name/Service", "str"],
  ["type", "FBS", "Config/Gauge/Service", "u32"],
  ["rate", "FBS", "Metric/Rate/Process", "u32"],
  ["rate_lim", "F", "Config/Limit/Process", "u32"],
  ["rate_max", "FBS", "Metric/Max/Process", "u32"],
  ["check_status", "S", "Metric/Output/Process", "str"],
  ["check_code", "S", "Metric/Output/Process", "u32"],
  ["check_duration", "S", "Metric/Duration/Process", "u64"],
  ["hrsp_1xx", "FBS", "Metric/Counter/Process", "u64"],
  ["hrsp_2xx", "FBS", "Metric/Counter/Process", "u64"],
  ["hrsp_3xx", "FBS", "Metric/Counter/Process", "u64"],
  ["hrsp_4xx", "FBS", "Metric/Counter/Process", "u64"],
  ["hrsp_5xx", "FBS", "Metric/Counter/Process", "u64"],
  ["hrsp_other", "FBS", "Metric/Counter/Process", "u64"],
  ["hanafail", "S", "Metric/Counter/Service", "u64"],
  ["req_rate", "F", "Metric/Rate/Process", "u32"],
  ["req_rate_max", "F", "Metric/Max/Process", "u32"],
  ["req_tot", "FBS", "Metric/Counter/Process", "u64"],
  ["cli_abrt", "BS", "Metric/Counter/Process", "u64"],
  ["srv_abrt", "BS", "Metric/Counter/Process", "u64"],
  ["comp_in", "FB", "Metric/Counter/Process", "u64"],
  ["comp_out", "FB", "Metric/Counter/Process", "u64"],
  ["comp_byp", "FB", "Metric/Counter/Process", "u64"],
  ["comp_rsp", "FB", "Metric/Counter/Process", "u64"],
  ["lastsess", "BS", "Metric/Age/Process", "s32"],
  ["last_chk", "S", "Metric/Output/Process", "str"],
  ["last_agt", "S", "Metric/Output/Process", "str"],
  ["qtime", "BS", "Metric/Avg/Process", "u32"],
  ["ctime", "BS", "Metric/Avg/Process", "u32"],
  ["rtime", "BS", "Metric/Avg/Process", "u32"],
  ["ttime", "BS", "Metric/Avg/Process", "u32"],
  ["agent_status", "S", "Metric/Output/Process", "str"],
  ["agent_code", "S", "Metric/Output/Process", "u32"],
  ["agent_duration", "S", "Metric/Duration/Process", "u64"],
  ["check_desc", "S", "Metric/Output/Process", "str"],
  ["agent_desc", "S", "Metric/Output/Process", "str"],
  ["check_rise", "S", "Config/Gauge/Service", "u32"],
  ["check_fall", "S", "Config/Gauge/Service", "u32"],
  ["check_health", "S", "Config/Gauge/Service", "u32"],
  ["agent_rise", "S", "Config/Gauge/Service", "u32"],
  ["agent_fall", "S", "Config/Gauge/Service", "u32"],
  ["agent_health", "S", "Config/Gauge/Service", "u32"],
  ["addr", "S", "Config/Gauge/Service", "str"],
  ["cookie", "BS", "Config/Name/Service", "str"],
  ["mode", "FBS", "Config/Gauge/Service", "str"],
  ["algo", "B", "Config/Gauge/Service", "str"],
  ["conn_rate", "F", "Metric/Rate/Process", "u32"],
  ["conn_rate_max", "F", "Metric/Max/Process", "u32"],
  ["conn_tot", "F", "Metric/Counter/Process", "u64"],
  ["intercepted", "FB", "Metric/Counter/Process", "u64"],
  ["dcon", "F", "Metric/Counter/Process", "u64"],
  ["dses", "F", "Metric/Counter/Process", "u64"],
  ["wrew", "FBS", "Metric/Counter/Process", "u64"],
  ["connect", "BS", "Metric/Counter/Process", "u64"],
  ["reuse", "BS", "Metric/Counter/Process", "u64"],
  ["cache_lookups", "FB", "Metric/Counter/Process", "u64"],
  ["cache_hits", "FB", "Metric/Counter/Process", "u64"],
  ["srv_icur", "S", "Metric/Gauge/Process", "u32"],
  ["src_ilim", "S", "Config/Limit/Process", "u32"],
  ["qtime_max", "BS", "Metric/Max/Process", "u32"],
  ["ctime_max", "BS", "Metric/Max/Process", "u32"],
  ["rtime_max", "BS", "Metric/Max/Process", "u32"],
  ["ttime_max", "BS", "Metric/Max/Process", "u32"],
  ["eint", "FBS", "Metric/Counter/Process", "u64"],
  ["idle_conn_cur", "S", "Metric/Gauge/Process", "u32"],
  ["safe_conn_cur", "S", "Metric/Gauge/Process", "u32"],
  ["used_conn_cur", "S", "Metric/Gauge/Process", "u32"],
  ["need_conn_est", "S", "Metric/Gauge/Process", "u32"],
  ["uweight", "BS", "Metric/Avg/Process", "u32"],
  ["agg_server_status", "B", "Metric/Gauge/Process", "u32"],
  ["agg_server_check_status", "B", "Metric/Gauge/Process", "u32"],
  ["agg_check_status", "B", "Metric/Gauge/Process", "u32"],
  ["srid", "S", "Metric/Counter/Process", "u32"],
  ["sess_other", "F", "Metric/Counter/Process", "u64"],
  ["h1sess", "F", "Metric/Counter/Process", "u64"],
  ["h2sess", "F", "Metric/Counter/Process", "u64"],
  ["h3sess", "F", "Metric/Counter/Process", "u64"],
  ["req_other", "F", "Metric/Counter/Process", "u64"],
  ["h1req", "F", "Metric/Counter/Process", "u64"],
  ["h2req", "F", "Metric/Counter/Process", "u64"],
  ["h3req", "F", "Metric/Counter/Process", "u64"],
  ["proto", "", "Status/Gauge/Process", "str"],
  ["priv_idle_cur", "S", "Metric/Gauge/Process", "u32"],
  ["reqbin", "FBS", "Metric/Counter/Process", "u64"],
  ["reqbout", "FBS", "Metric/Counter/Process", "u64"],
  ["resbin", "FBS", "Metric/Counter/Process", "u64"],
  ["resbout", "FBS", "Metric/Counter/Process", "u64"],
  ["cache_hint_hits", "FB", "Metric/Counter/Process", "u64"],
] as const satisfies readonly ColumnRow[];

export type ColumnName = (typeof columnTable)[number][0];

type Column = {
  readonly name: ColumnName;
  /** 0-based, as HAProxy numbers them. */
  readonly pos: number;
  readonly kinds: readonly RowKind[];
  readonly tags: { readonly origin: string; readonly nature: string; readonly scope: string };
  readonly type: ColumnRow[3];
};

const letters = { F: "frontend", B: "backend", S: "server" } as const;

/** All columns, in order. */
export const statsColumns: readonly Column[] = columnTable.map(([name, kinds, tags, type], pos) => {
  const [origin = "", nature = "", scope = ""] = tags.split("/");
  const rowKinds = [...kinds].map((letter) => letters[letter as keyof typeof letters]);
  return { name, pos, kinds: rowKinds, tags: { origin, nature, scope }, type };
});

/** The tags of a column for a kind of row. A backend counts servers in `act` and `bck`, and sums rates. */
export function tagsForKind({ name, tags }: Column, kind: RowKind): Column["tags"] {
  if (kind !== "backend") return tags;
  if (name === "act" || name === "bck") return { ...tags, origin: "Metric" };
  if (name === "rate" || name === "rate_max") return { ...tags, nature: "Gauge" };
  return tags;
}
