import { expect, test } from "vitest";
import { byPrecedence, readPathRule } from "../../../../src/domain/table/path-rule.ts";
import type { TableService } from "../../../../src/domain/table/table.ts";
import { Routes } from "../../../../src/proxy/routing/routes.ts";
import { serviceOf, tableOf } from "../../../support/dataplane.ts";
import { inProcessPlane } from "../../ingress/in-process-plane.ts";

const origins = { app: "http://127.0.0.2:1", api: "http://127.0.0.2:2", v2: "http://127.0.0.2:3" } as const;
type Name = keyof typeof origins;

/** A service that takes these requests of `at`. */
function taking(
  name: Name,
  at: readonly string[],
  rules: readonly string[],
  more: Partial<TableService> = {},
) {
  const read = rules
    .map(readPathRule)
    .filter((rule) => rule !== null)
    .sort(byPrecedence);
  const port = 9000 + name.length;
  return serviceOf(name, port, [origins[name]], { options: { paths: { at, rules: read } }, ...more });
}

const app = serviceOf("app", 8080, [origins.app], { hosts: ["www.example.com"] });
const api = taking("api", ["app"], ["/api", "=/healthz", "old.example.com/"]);
const v2 = taking("v2", ["app"], ["/api/v2", "www.example.com/api/v3"]);
const routes = new Routes(tableOf(1, app, api, v2), "mesh.example.com");

/** Who answers `host/path`. */
function at(asked: string, port: number | null = 8080, of = routes): string | undefined {
  const host = asked.slice(0, asked.indexOf("/"));
  const path = asked.slice(asked.indexOf("/"));
  return of.match({ port, host, path })?.routes[0].service.name;
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
])(
  "[X90] the longest path of a host name or of any decides, letter by letter and without the query: %s",
  (asked, name) => {
    expect(at(asked)).toBe(name);
  },
);

test("[X90] of equal paths an exact one decides first, then one with a host name, then the service's name", () => {
  const of = (...rules: readonly [string, string]) =>
    new Routes(tableOf(1, app, taking("api", ["app"], [rules[0]]), taking("v2", ["app"], [rules[1]])));
  expect(at("x/a", 8080, of("/a", "=/a"))).toBe("v2");
  expect(at("x/a", 8080, of("/a", "x/a"))).toBe("v2");
  expect(at("x/a", 8080, of("=/a", "x/a"))).toBe("api");
  expect(at("x/a", 8080, of("/a", "/a"))).toBe("api");
});

test("[X90] a service's requests are taken wherever it would have got them, and nobody else's", () => {
  for (const port of [8080, null]) expect(at("www.example.com/api", port)).toBe("api");
  expect(at("app.mesh.example.com/api", null)).toBe("api");
  expect(at("x/api", null)).toBe("api");
  expect(at("x/api", 9002)).toBe("v2");
  expect(at("v2.mesh.example.com/api", null)).toBe("v2");
  expect(at("x/api", 81)).toBeUndefined();
});

test("[X91] without another service the paths are those of host names, where no published port decides", () => {
  const named = taking("api", [], ["www.example.com/api", "only.example.com/"]);
  const of = new Routes({ ...tableOf(1, app, named, v2), defaultService: null });
  expect(at("www.example.com/api", null, of)).toBe("api");
  expect(at("www.example.com/", null, of)).toBe("app");
  expect(at("www.example.com/api/v2", null, of)).toBe("v2");
  expect(at("www.example.com/api", 8080, of)).toBe("app");
  expect(at("only.example.com/", null, of)).toBe("api");
  expect(at("else.example.com/api", null, of)).toBeUndefined();
});

test("[X92] what is taken of a service in host mode, by one that is not published, or of one that is not there, is nothing", () => {
  const of = (...services: TableService[]) => at("x/api", 8080, new Routes(tableOf(1, ...services)));
  expect(of(serviceOf("app", 8080, [origins.app], { mode: "host" }), api)).toBe("app");
  expect(of(app, { ...api, ports: [] })).toBe("app");
  expect(of(app, taking("api", ["typo"], ["/api"]))).toBe("app");
});

test("[X92] what a service keeps of its own stays at the port that was asked for", () => {
  const ports = [80, 81].map((target) => ({ target, published: 8000 + target, mode: "ingress" as const }));
  const keeps = taking("app", ["app"], ["/api/own"], { ports });
  const of = new Routes(tableOf(1, keeps, api));
  expect(of.match({ port: 8081, host: "x", path: "/api/own" })?.routes[0].target).toBe(81);
  expect(at("x/api/else", 8081, of)).toBe("api");
});

test("[X92] a service that takes requests and has no live task refuses them", async () => {
  const plane = inProcessPlane(tableOf(1, app, { ...api, tasks: [] }));
  const refusal = await plane.send({ path: "/api" });
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain("service api has no live task");
  expect(await (await plane.send()).text()).toBe(origins.app);
});

test("[X93] at the balancer and at a node's entry point requests go where their path says, and the answer tells the rule", async () => {
  const plane = inProcessPlane(tableOf(1, app, api, v2));
  for (const role of ["edge", "ingress"] as const) {
    const entry = { role, node: role === "edge" ? null : "node1", mayDebug: () => true };
    const debug = { "x-waggle-debug": "1" };
    const { headers } = await plane.send({ entry, path: "/api/v3?x=1", headers: debug });
    const told = ["service", "path", "taken-from"].map((name) => headers.get(`x-waggle-${name}`));
    expect(told).toEqual(["v2", "www.example.com/api/v3", "app"]);
    const plain = await plane.send({ entry, headers: debug });
    expect([plain.headers.get("x-waggle-service"), plain.headers.get("x-waggle-path")]).toEqual([
      "app",
      null,
    ]);
  }
  expect(new Set(plane.origins())).toEqual(new Set([origins.v2, origins.app]));
});

test("[X95] where no service has path rules, a request's path is not read", () => {
  const query = {
    port: 8080,
    host: "x",
    get path(): string {
      throw new Error("looked at");
    },
  };
  expect(new Routes(tableOf(1, app)).match(query)?.routes[0].service.name).toBe("app");
  expect(() => routes.match(query)).toThrow("looked at");
});
