// Arbitrary routing tables, for property tests.

import fc from "fast-check";
import { byPrecedence, type PathRule, printPathRule } from "../../src/domain/table/path-rule.ts";
import type { Policy } from "../../src/domain/table/policy.ts";
import {
  byTableOrder,
  type RoutingTable,
  type TableGateway,
  type TableNode,
  type TableOptions,
  type TablePaths,
  type TableService,
} from "../../src/domain/table/table.ts";

const token = fc.stringMatching(/^[a-z.!_-]{1,9}$/);
const policies: fc.Arbitrary<Policy> = fc.oneof(
  fc.constantFrom<Policy[]>("roundrobin", "leastconn", "random", "source", "uri", "hdr(x-user)"),
  token.map((cookie): Policy => `cookie(${cookie})`),
);
const pathRule = fc.record({
  host: fc.option(fc.domain()),
  path: fc.stringMatching(/^\/[!"$-+.-<@-~]{0,9}$/),
  exact: fc.boolean(),
});
/** Rules in order of precedence, each once. */
const pathRules = (rules: fc.Arbitrary<PathRule>) =>
  fc
    .uniqueArray(rules, { selector: printPathRule, minLength: 1, maxLength: 4 })
    .map((list) => list.sort(byPrecedence));
const paths: fc.Arbitrary<TablePaths> = fc.oneof(
  fc.record({
    at: fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 3 }).map((list) => [...list].sort()),
    rules: pathRules(pathRule),
  }),
  fc.record({
    at: fc.constant([]),
    rules: pathRules(fc.tuple(pathRule, fc.domain()).map(([rule, host]) => ({ ...rule, host }))),
  }),
);
const rule = fc.record({ name: token, value: fc.string() }, { requiredKeys: ["name"] });
const positive = fc.integer({ min: 1 });
const options: fc.Arbitrary<TableOptions> = fc
  .record(
    {
      mode: fc.constant("tcp" as const),
      sendProxy: fc.constantFrom("v1" as const, "v2" as const),
      idleTimeoutMs: fc.nat(),
      sticky: token,
      via: fc.boolean(),
      maxconn: positive,
      queue: fc.oneof(fc.nat(), fc.constant("unlimited" as const)),
      queueTimeoutMs: positive,
      slowStartMs: positive,
      hostHeader: fc.domain(),
      marker: token,
      headTimeoutMs: positive,
      silenceMs: fc.nat(),
      hedge: fc.boolean(),
      retries: fc.nat(3),
      replayBytes: fc.nat(1024 ** 2),
      bodyTimeoutMs: fc.nat(),
      canary: fc.record(
        { service: fc.string(), percent: fc.nat(100), header: rule, cookie: rule },
        { requiredKeys: ["service", "percent"] },
      ),
      paths,
    },
    { requiredKeys: [] },
  )
  .filter((set) => Object.keys(set).length > 0);

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("-", '"', "a b", "\n", "node1", "\u2028"),
);
const id = fc.string({ minLength: 1, maxLength: 6 });
const port = fc.integer({ min: 1, max: 65_535 });
const flag = fc.constant(true as const);
const hosts = fc.uniqueArray(fc.domain(), { maxLength: 3 }).map((list) => [...list].sort());
const gateways: fc.Arbitrary<TableGateway> = fc.oneof(
  fc.record({
    transport: fc.constantFrom("direct", "vpc"),
    base: fc.constantFrom("http://10.0.0.5:7946", "https://node1.example.com"),
  }),
  fc.constant({ transport: "tunnel", base: "" } as const),
);
const node: fc.Arbitrary<TableNode> = fc.record(
  {
    id,
    name: text,
    up: fc.boolean(),
    admin: fc.constantFrom("drain", "maint"),
    address: text,
    gateway: gateways,
    hosts,
  },
  { requiredKeys: ["id", "name", "up", "address", "hosts"] },
);
const share = {
  weight: fc.nat(256),
  backup: flag,
  standby: flag,
  drain: flag,
  maxconn: fc.integer({ min: 1 }),
  sinceMs: fc.nat(),
};
const endpoints = fc
  .uniqueArray(fc.tuple(port, fc.option(text)), {
    selector: ([target]) => target,
    minLength: 1,
    maxLength: 3,
  })
  .map((list) => [...list].sort(([a], [b]) => a - b));
const server = fc.record(
  { id, name: text, ...share, origin: text },
  { requiredKeys: ["id", "name", "weight", "origin"] },
);
/** Tables with any names. */
export const tables: fc.Arbitrary<RoutingTable> = fc
  .uniqueArray(node, { selector: ({ id: itemId }) => itemId, maxLength: 5 })
  .map((nodes) => [...nodes].sort(byTableOrder))
  .chain((nodes) => {
    const task = fc.record(
      {
        id,
        slot: fc.nat(),
        nodeId: fc.nat().map((pick) => nodes[pick % nodes.length]?.id ?? ""),
        ...share,
        endpoints,
      },
      { requiredKeys: ["id", "slot", "nodeId", "weight", "endpoints"] },
    );
    const service: fc.Arbitrary<TableService> = fc.record(
      {
        id,
        name: text,
        policy: policies,
        ports: fc
          .uniqueArray(
            fc.record({ target: port, published: port, mode: fc.constantFrom("ingress", "host") }),
            { selector: ({ published }) => published, maxLength: 3 },
          )
          .map((list) => [...list].sort((a, b) => a.published - b.published)),
        hosts,
        options,
        servers: ordered(
          fc.uniqueArray(server, { selector: ({ id: itemId }) => itemId, minLength: 1, maxLength: 3 }),
        ),
        downServers: ordered(
          fc.uniqueArray(fc.record({ id, name: text, why: text }), {
            selector: ({ id: itemId }) => itemId,
            minLength: 1,
            maxLength: 3,
          }),
        ),
        tasks:
          nodes.length === 0
            ? fc.constant([])
            : ordered(fc.uniqueArray(task, { selector: ({ id: itemId }) => itemId, maxLength: 4 })),
      },
      { requiredKeys: ["id", "name", "policy", "ports", "hosts", "tasks"] },
    );
    const services = fc
      .uniqueArray(service, { selector: ({ id: itemId }) => itemId, maxLength: 4 })
      .map((list) => [...list].sort(byTableOrder));
    return fc.record({
      version: fc.nat(),
      nodes: fc.constant(nodes),
      services,
      first: fc.boolean(),
      signingKey: fc.option(text),
    });
  })
  .map(({ version, nodes, services, first, signingKey }) => ({
    version,
    nodes,
    services,
    defaultService: first ? (services[0]?.name ?? null) : null,
    signingKey,
  }));
function ordered<T extends { readonly id: string }>(lists: fc.Arbitrary<T[]>): fc.Arbitrary<T[]> {
  return lists.map((list) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1)));
}
