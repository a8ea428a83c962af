import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { withCheckDefaults } from "../../../src/domain/model/server.ts";
import { statsColumns } from "../../../src/stats/columns.ts";
import { statsCsv } from "../../../src/stats/csv.ts";
import { statsJson } from "../../../src/stats/json.ts";
import { statsJsonSchema } from "../../../src/stats/json-schema.ts";
import type { ColumnValues, StatsReport } from "../../../src/stats/report.ts";
import { statsTraffic } from "../../../src/stats/traffic.ts";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import { newTelemetryState } from "../../../src/telemetry/telemetry-state.ts";
import { readCsv } from "../../support/haproxy-csv.ts";
import { aServer, aServerSpec } from "../../support/servers.ts";
import { aService, now } from "../../support/world.ts";
import { aReport, valuesOf } from "./support.ts";

/** The first line of HAProxy's CSV, up to the column that ends its fixed part. */
const header =
  "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,agg_check_status,srid,sess_other,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,reqbin,reqbout,resbin,resbout,cache_hint_hits,-,";

test("[Z1] the first line of the CSV is HAProxy's, with all 119 columns in order", () => {
  expect(statsColumns).toHaveLength(119);
  expect(statsCsv(aReport()).split("\n")[0]).toBe(header);
});

test("[Z1] docs/stats.md has every column in order, and marks none as empty that has a value", () => {
  const page = readFileSync(new URL("../../../docs/stats.md", import.meta.url), "utf8");
  const documented = [...page.matchAll(/^\| (\d+) \| `(\w+)` \| [FBS-]+ \| (.+) \|$/gm)];
  expect(documented.map(([, pos, name]) => [Number(pos), name])).toEqual(
    statsColumns.map(({ pos, name }) => [pos, name]),
  );
  const empty = documented.filter(([, , , value]) => value?.startsWith("*empty*")).map(([, , name]) => name);
  const check = withCheckDefaults({}, { tls: false });
  const server = aServer(aService(), aServerSpec({ check, maxConn: 9 }));
  const traffic = statsTraffic(readSnapshot(newTelemetryState(now), now));
  const rows = aReport({ servers: [server], traffic }).proxies.flatMap((proxy) => proxy.rows);
  const filled = new Set(rows.flatMap(({ values }) => Object.keys(values)));
  expect(empty.filter((name) => filled.has(name ?? ""))).toEqual([]);
  const conditional = statsColumns
    .map(({ name }) => name)
    .filter((name) => !empty.includes(name) && !filled.has(name));
  // These have values only with a policy, a check or traffic.
  expect(conditional).toEqual(["qlimit", "throttle", "rtime", "cookie"]);
});

test("[Z2] every row has as many fields as the first line; an unknown value is an empty field", () => {
  const csv = statsCsv(aReport());
  const { widths, rows } = readCsv(csv);
  expect(widths).toEqual(widths.map(() => 121));
  expect(csv.endsWith(",-,\n")).toBe(true);
  expect(rows[0]).toMatchObject({ pxname: "waggle.nodes", svname: "FRONTEND", slim: "", stot: "", "-": "-" });
});

test("[Z2] a row only prints columns that HAProxy has in rows of its kind", () => {
  const everything: ColumnValues = Object.fromEntries(statsColumns.map(({ name }) => [name, 1]));
  const report = withRows([{ kind: "frontend", values: everything }]);
  const [row] = readCsv(statsCsv(report)).rows;
  expect(row).toMatchObject({ stot: "1", ereq: "1", qcur: "", weight: "", check_status: "", algo: "" });
});

test("[Z3] a field is quoted only if it has a comma, a quote or a line break, or would start a comment", () => {
  const texts = ["plain text", "a,b", 'say "no"', "two\nlines", "#1"];
  const report = withRows(
    texts.map((last_chk) => ({ kind: "server", values: { pxname: last_chk, last_chk } })),
  );
  const csv = statsCsv(report);
  for (const field of ["plain text,", '"a,b",', '"say ""no""",', '"two\nlines",', '"#1",']) {
    expect(csv).toContain(`\n${field}`);
  }
  expect(readCsv(csv).rows.map(({ last_chk }) => last_chk)).toEqual(texts);
});

test("[Z4] the JSON is a list of rows, each a list of fields with HAProxy's names, tags and types", () => {
  const report = aReport();
  const rows = JSON.parse(statsJson(report));
  expect(rows.map(([first]: [{ objType: string }]) => first.objType)).toEqual([
    ...["Frontend", "Server", "Backend"],
    ...["Frontend", "Server", "Server", "Backend"],
  ]);
  const { iid } = valuesOf(report, "my-web", "BACKEND");
  expect(rows[6].find(({ field }: { field: { name: string } }) => field.name === "act")).toEqual({
    objType: "Backend",
    proxyId: iid,
    id: 0,
    field: { pos: 19, name: "act" },
    processNum: 1,
    tags: { origin: "Metric", nature: "Gauge", scope: "Process" },
    value: { type: "u32", value: 2 },
  });
});

test("[Z4] the schema allows every field of the JSON, and every column", () => {
  const { items } = JSON.parse(statsJsonSchema()).items;
  const { properties } = items;
  const fields = JSON.parse(statsJson(aReport())).flat();
  expect(fields.length).toBeGreaterThan(50);
  for (const field of fields) {
    expect(items.required.every((name: string) => name in field)).toBe(true);
    expect(properties.objType.enum).toContain(field.objType);
    for (const tag of ["origin", "nature", "scope"]) {
      expect(properties.tags.properties[tag].enum).toContain(field.tags[tag]);
    }
    const types = properties.value.oneOf.map(
      (schema: { properties: { type: { enum: string[] } } }) => schema.properties.type.enum[0],
    );
    expect(types).toContain(field.value.type);
    expect(typeof field.value.value).toBe(field.value.type === "str" ? "string" : "number");
  }
  expect(properties.field.properties.name.enum).toHaveLength(119);
});

function withRows(rows: StatsReport["proxies"][number]["rows"]): StatsReport {
  return { ...aReport(), proxies: [{ name: "p", iid: 2, what: "", rows }] };
}
