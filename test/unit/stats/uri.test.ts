import { expect, test } from "vitest";
import { filterReport, isStatsUrl, readStatsQuery, statsLink } from "../../../src/stats/uri.ts";
import { aNode } from "../../support/world.ts";
import { aReport, rowsOf } from "./support.ts";

const uri = "/haproxy?stats";
const at = (rest: string) => `http://www.example.com:8080${rest}`;

test.each([
  ["/haproxy?stats", true],
  ["/haproxy?stats;csv", true],
  ["/haproxy?stats;up;norefresh?scope=web", true],
  ["/haproxy?stats=&scope=web", true],
  ["/haproxy?statistics", false],
  ["/haproxy", false],
  ["/haproxy/", false],
  ["/haproxy?x=1&stats", false],
  ["/app?next=/haproxy?stats", false],
  ["//haproxy?stats", false],
])("[Z12] the statistics are only at their address: %s", (path, expected) => {
  expect(isStatsUrl(at(path), uri)).toBe(expected);
});

test("[Z12] the address can be changed, and an empty one disables the statistics", () => {
  expect(isStatsUrl(at("/stats;csv"), "/stats")).toBe(true);
  expect(isStatsUrl(at("/statstics"), "/stats")).toBe(false);
  expect(isStatsUrl(at("/haproxy?stats"), "/stats")).toBe(false);
  expect(isStatsUrl(at("/haproxy?stats"), "")).toBe(false);
  expect(isStatsUrl("http://host/haproxy?stats", uri)).toBe(true);
  expect(isStatsUrl("http://host", uri)).toBe(false);
});

test.each([
  ["", { format: "html", up: false, refresh: true, scope: "", outcome: "" }],
  [";csv", { format: "csv" }],
  [";csv;norefresh?scope=my-web", { format: "csv", refresh: false, scope: "my-web" }],
  [";json", { format: "json" }],
  [";json-schema", { format: "json-schema" }],
  [";st=DONE;up", { outcome: "DONE", up: true, format: "html" }],
  ["=&up=&scope=csv", { format: "html", up: true, scope: "csv" }],
  ["&scope=a%20b+c", { scope: "a b c" }],
  [";scope=%", { scope: "%" }],
  [";st=<script>", { outcome: "" }],
  [";bogus", { format: "html", up: false }],
])("[Z12] the options after the address are read as in HAProxy: %s", (rest, expected) => {
  expect(readStatsQuery(at(uri + rest), uri)).toMatchObject(expected);
});

test("[Z12] a link has the query's options, and reads back", () => {
  const query = readStatsQuery(at(`${uri};up;norefresh?scope=a%26b`), uri);
  const link = statsLink(uri, { ...query, outcome: "NONE" });
  expect(link).toBe("/haproxy?stats;st=NONE;up;norefresh?scope=a%26b");
  expect(readStatsQuery(at(link), uri)).toEqual({ ...query, outcome: "NONE" });
});

test("[Z13] ;up leaves out only servers that are down", () => {
  const nodes = [
    aNode({ hostname: "a" }),
    aNode({ hostname: "b", state: "down" }),
    aNode({ hostname: "c", availability: "drain" }),
  ];
  const report = aReport({ nodes });
  expect(rowsOf(filterReport(report, { up: true, scope: "" }), "waggle.nodes")).toEqual([
    "FRONTEND",
    "a",
    "c",
    "BACKEND",
  ]);
  expect(filterReport(report, { up: false, scope: "" })).toEqual(report);
});

test("[Z13] a scope selects proxies whose name contains it, ignoring case", () => {
  const names = (scope: string) =>
    filterReport(aReport(), { up: false, scope }).proxies.map(({ name }) => name);
  expect(names("WEB")).toEqual(["my-web"]);
  expect(names("e")).toEqual(["waggle.nodes", "my-web"]);
  expect(names("nothing")).toEqual([]);
});
