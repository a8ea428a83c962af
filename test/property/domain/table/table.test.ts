import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable, isRoutable } from "../../../../src/domain/compile/compile-table.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { byPrecedence, type PathRule, printPathRule } from "../../../../src/domain/table/path-rule.ts";
import type { Policy } from "../../../../src/domain/table/policy.ts";
import type {
  RoutingTable,
  TableGateway,
  TableNode,
  TableOptions,
  TablePaths,
  TableService,
} from "../../../../src/domain/table/table.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { SimulatedMesh, simulatedEvents } from "../orchestrator/simulated-mesh.ts";

const worlds = fc.array(simulatedEvents, { minLength: 3, maxLength: 40, size: "max" }).map((events) => {
  const mesh = new SimulatedMesh();
  for (const event of events) mesh.apply(event);
  return mesh.world;
});

test("[R1] a table has exactly the tasks that are wanted, running, healthy and on a node that is not down", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const table = compileTable(world, 1);
      for (const service of table.services) {
        const routable = [...world.tasks.values()].filter(
          (task) => task.serviceId === service.id && isRoutable(task) && world.nodes.has(task.nodeId ?? ""),
        );
        const onUpNodes = routable.filter(({ nodeId }) => world.nodes.get(nodeId ?? "")?.state !== "down");
        const expected = onUpNodes.length > 0 ? onUpNodes : routable;
        expect(service.tasks.map(({ id }) => id)).toEqual(expected.map(({ id }) => id).sort());
        for (const { id } of service.tasks) {
          expect(world.tasks.get(id)).toMatchObject({ desired: "running", state: "running" });
          expect(world.tasks.get(id)?.health?.verdict).toBe("healthy");
        }
      }
    }),
  );
});

test("[R2] equal worlds give equal bytes, whatever the order of their maps", () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), (world, numbers) => {
      const text = printTable(compileTable(world, 7));
      expect(printTable(compileTable(shuffled(world, numbers), 7))).toBe(text);
    }),
  );
});

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

test("[R3] reading a printed table gives an equal table, whatever its names", () => {
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
  const tables: fc.Arbitrary<RoutingTable> = fc
    .uniqueArray(node, { selector: ({ id: itemId }) => itemId, maxLength: 5 })
    .map((nodes) => [...nodes].sort(byName))
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
        .map((list) => [...list].sort(byName));
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
  fc.assert(
    fc.property(tables, (table) => {
      expect(readTable(printTable(table))).toEqual(table);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(worlds, (world) => {
      const table = compileTable(world, 3);
      expect(readTable(printTable(table))).toEqual(table);
    }),
  );
}, 30_000);

test("[R4] a changed text is either read as a whole or refused with the line", () => {
  const replacement = fc.constantFrom("", "x", " ", '"', "-", "0", "task", "\n");
  fc.assert(
    fc.property(worlds, fc.nat(), replacement, (world, offset, letters) => {
      const text = printTable(compileTable(world, 3));
      const index = offset % text.length;
      const changed = text.slice(0, index) + letters + text.slice(index + 1);
      let printed: string;
      try {
        printed = printTable(readTable(changed));
      } catch (error) {
        expect(error).toMatchObject({
          code: "table/invalid",
          message: expect.stringMatching(/^routing table, line \d+: /),
        });
        return;
      }
      // With a changed letter of a name the text is still a table; then nothing of it may be lost.
      expect(printed).toBe(changed);
    }),
    { numRuns: 300 },
  );
});

function byName(a: { name: string; id: string }, b: { name: string; id: string }): number {
  return a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1;
}

function ordered<T extends { readonly id: string }>(lists: fc.Arbitrary<T[]>): fc.Arbitrary<T[]> {
  return lists.map((list) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1)));
}

function shuffled(world: World, numbers: Iterator<number>): World {
  const shuffle = <T>(map: ReadonlyMap<string, T>) =>
    new Map(
      [...map]
        .map((entry) => [Number(numbers.next().value), entry] as const)
        .sort(([a], [b]) => a - b)
        .map(([, entry]) => entry),
    );
  return {
    nodes: shuffle(world.nodes),
    services: shuffle(world.services),
    tasks: shuffle(world.tasks),
    servers: shuffle(world.servers),
    networks: world.networks,
  };
}
