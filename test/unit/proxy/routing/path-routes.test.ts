import { expect, test } from "vitest";
import { byPrecedence, readPathRule } from "../../../../src/domain/table/path-rule.ts";
import type { TableService } from "../../../../src/domain/table/table.ts";
import { pathOf } from "../../../../src/proxy/http/host.ts";
import { Routes } from "../../../../src/proxy/routing/routes.ts";
import { serviceOf, tableOf } from "../../../support/dataplane.ts";
import { inProcessPlane } from "../../ingress/in-process-plane.ts";

const origins = { app: "http://127.0.0.2:1", api: "http://127.0.0.2:2", v2: "http://127.0.0.2:3" } as const;
type Name = keyof typeof origins;

/** A service with path rules for the requests of `at`. */
function taking(
  name: Name,
  at: readonly string[],
  rules: readonly string[],
  more: Partial<TableService> = {},
) {
  const pathRules = rules
    .map(readPathRule)
    .filter((rule) => rule !== null)
    .sort(byPrecedence);
  const port = 9000 + name.length;
  return serviceOf(name, port, [origins[name]], { options: { paths: { at, rules: pathRules } }, ...more });
}

const app = serviceOf("app", 8080, [origins.app], { hosts: ["www.example.com"] });
const api = taking("api", ["app"], ["/api", "=/healthz", "old.example.com/"]);
const v2 = taking("v2", ["app"], ["/api/v2", "www.example.com/api/v3"]);
const routes = new Routes(tableOf(1, app, api, v2), "mesh.example.com");

/** Name of the service that gets a request for `host/path`. */
function serviceAt(url: string, port: number | null = 8080, table = routes): string | undefined {
  const host = url.slice(0, url.indexOf("/"));
  const path = url.slice(url.indexOf("/"));
  return table.match({ port, host, path })?.routes[0].service.name;
}

test.each([
  ["x/", "app"],
  ["x/api", "api"],
  ["x/apish", "api"],
  ["x/API", "app"],
  ["x/a/api", "app"],
  ["x/?/api", "app"],
  ["x/api?x", "api"],
  ["x/api/v2/x", "v2"],
  ["x/api/v3", "api"],
  ["WWW.example.com:8080/api/v3", "v2"],
  ["x/healthz", "api"],
  ["x/healthz?full", "api"],
  ["x/healthz/full", "app"],
  ["old.example.com/", "api"],
  ["old.example.com/api/v2", "v2"],
])("[X90] the rule with the longest path decides, case-sensitive and without the query: %s", (url, name) => {
  expect(serviceAt(url)).toBe(name);
});

test("[X90] of equal paths an exact rule precedes one with a host name, then the service's name decides", () => {
  const of = (...rules: readonly [string, string]) =>
    new Routes(tableOf(1, app, taking("api", ["app"], [rules[0]]), taking("v2", ["app"], [rules[1]])));
  expect(serviceAt("x/a", 8080, of("/a", "=/a"))).toBe("v2");
  expect(serviceAt("x/a", 8080, of("/a", "x/a"))).toBe("v2");
  expect(serviceAt("x/a", 8080, of("=/a", "x/a"))).toBe("api");
  expect(serviceAt("x/a", 8080, of("/a", "/a"))).toBe("api");
});

test("[X90] a path rule takes its service's requests by port, host name and default, and no others", () => {
  for (const port of [8080, null]) expect(serviceAt("www.example.com/api", port)).toBe("api");
  expect(serviceAt("app.mesh.example.com/api", null)).toBe("api");
  expect(serviceAt("x/api", null)).toBe("api");
  expect(serviceAt("x/api", 9002)).toBe("v2");
  expect(serviceAt("v2.mesh.example.com/api", null)).toBe("v2");
  expect(serviceAt("x/api", 81)).toBeUndefined();
});

test("[X122] a path rule with characters that a URL encodes takes the requests that have them encoded", () => {
  const rules = ["/v1/{id}", '=/"^'];
  const of = new Routes(tableOf(1, app, taking("api", ["app"], rules)));
  const at = (path: string) => serviceAt(`x${pathOf(`http://x${path}`)}`, 8080, of);
  for (const path of ["/v1/{id}", "/v1/%7Bid%7D/x", "/x/../v1/{id}", '/"^', "/%22%5E?x"]) {
    expect([path, at(path)]).toEqual([path, "api"]);
  }
  for (const path of ["/v1/%7bid%7d", "/v1/id", '/"^x']) expect([path, at(path)]).toEqual([path, "app"]);
});

test("[X91] a path rule without a service applies to host names if no published port decides", () => {
  const named = taking("api", [], ["www.example.com/api", "only.example.com/"]);
  const of = new Routes({ ...tableOf(1, app, named, v2), defaultService: null });
  expect(serviceAt("www.example.com/api", null, of)).toBe("api");
  expect(serviceAt("www.example.com/", null, of)).toBe("app");
  expect(serviceAt("www.example.com/api/v2", null, of)).toBe("v2");
  expect(serviceAt("www.example.com/api", 8080, of)).toBe("app");
  expect(serviceAt("only.example.com/", null, of)).toBe("api");
  expect(serviceAt("else.example.com/api", null, of)).toBeUndefined();
});

test("[X92] path rules of an unpublished service, or for a service in host mode or unknown, have no effect", () => {
  const of = (...services: TableService[]) => serviceAt("x/api", 8080, new Routes(tableOf(1, ...services)));
  expect(of(serviceOf("app", 8080, [origins.app], { mode: "host" }), api)).toBe("app");
  expect(of(app, { ...api, ports: [] })).toBe("app");
  expect(of(app, taking("api", ["typo"], ["/api"]))).toBe("app");
});

test("[X92] a rule by which a service keeps its requests does not change their target port", () => {
  const ports = [80, 81].map((target) => ({ target, published: 8000 + target, mode: "ingress" as const }));
  const keeps = taking("app", ["app"], ["/api/own"], { ports });
  const of = new Routes(tableOf(1, keeps, api));
  expect(of.match({ port: 8081, host: "x", path: "/api/own" })?.routes[0].targetPort).toBe(81);
  expect(serviceAt("x/api/else", 8081, of)).toBe("api");
});

test("[X92] a service with a path rule and without a live task refuses the requests of the rule", async () => {
  const plane = inProcessPlane(tableOf(1, app, { ...api, tasks: [] }));
  const refusal = await plane.send({ path: "/api" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain("service api has no live task");
  expect(await (await plane.send()).text()).toBe(origins.app);
});

test("[X93] path rules apply at the edge and at a node's entry point, and a debug header shows the rule", async () => {
  const plane = inProcessPlane(tableOf(1, app, api, v2));
  for (const role of ["edge", "ingress"] as const) {
    const entry = { role, node: role === "edge" ? null : "node1", mayDebug: () => true };
    const debug = { "x-waggle-debug": "1" };
    const { headers } = await plane.send({ entry, path: "/api/v3?x=1", headers: debug });
    const route = ["service", "path", "taken-from"].map((name) => headers.get(`x-waggle-${name}`));
    expect(route).toEqual(["v2", "www.example.com/api/v3", "app"]);
    const plain = await plane.send({ entry, headers: debug });
    expect([plain.headers.get("x-waggle-service"), plain.headers.get("x-waggle-path")]).toEqual([
      "app",
      null,
    ]);
  }
  expect(new Set(plane.origins())).toEqual(new Set([origins.v2, origins.app]));
});

test("[X95] a request's path is read only if some service has path rules", () => {
  const query = {
    port: 8080,
    host: "x",
    get path(): string {
      throw new Error("path was read");
    },
  };
  expect(new Routes(tableOf(1, app)).match(query)?.routes[0].service.name).toBe("app");
  expect(() => routes.match(query)).toThrow("path was read");
});
