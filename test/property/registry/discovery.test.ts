import fc from "fast-check";
import { expect, test } from "vitest";
import type { NodeDiscovery } from "../../../src/domain/model/discovery.ts";
import type { MeshNode } from "../../../src/domain/model/node.ts";
import type { World } from "../../../src/domain/model/world.ts";
import { withDiscovered } from "../../../src/registry/discovered-services.ts";
import { aNode, aService } from "../../support/world.ts";

const name = fc.constantFrom("web", "api", "db", "a b");
const port = fc.record({
  target: fc.constantFrom(80, 81),
  published: fc.constantFrom(undefined, 8080, 8081, 8082),
});
const labels = fc.constantFrom<Readonly<Record<string, string>>[]>(
  {},
  { "waggle.host": "a.test" },
  { "waggle.host": "a.test", "waggle.path": "/x" },
  { "waggle.balance": "fastest" },
);
const service = fc.record({
  name,
  source: fc.constantFrom("container" as const, "compose" as const, "swarm" as const),
  image: fc.constant("nginx"),
  labels,
  ports: fc.uniqueArray(port, { maxLength: 3, selector: ({ published }) => published ?? -1 }),
  warnings: fc.constant([]),
  elsewhere: fc.constant([{ swarmTask: "t1", hostname: "far" }]),
});
const task = fc.record({
  key: fc.constantFrom("1", "2", "3", "4"),
  service: name,
  containerId: fc.constant("c".repeat(64)),
  image: fc.constant("nginx"),
  address: fc.constant("172.17.0.2"),
  startedAtMs: fc.nat(1_000),
  health: fc.constant(null),
  swarmTask: fc.constantFrom(undefined, "t1", "t2"),
});
const report: fc.Arbitrary<NodeDiscovery> = fc.record({
  services: fc.uniqueArray(service, { selector: ({ name }) => name, maxLength: 4 }),
  tasks: fc.uniqueArray(task, { selector: ({ key }) => key, maxLength: 4 }),
});
const reports = fc.array(fc.option(report, { nil: undefined }), { minLength: 3, maxLength: 3 });

function worldOf(reports: readonly (NodeDiscovery | undefined)[], before: World): World {
  const nodes = reports.map((discovery, index): [string, MeshNode] => {
    const { discovery: _discovery, ...node } =
      before.nodes.get(`n${index}`) ?? aNode({ id: `n${index}`, hostname: `node${index}` });
    return [node.id, { ...node, ...(discovery && { discovery }) }];
  });
  return { ...before, nodes: new Map(nodes) };
}

test("[M129] merging twice changes nothing the second time, and no port, name or service of an operator is ever taken", () => {
  const created = { ...aService({ name: "web", ports: [{ target: 80, published: 8080, mode: "ingress" }] }) };
  const own = { ...created, ports: [{ target: 80, published: 8080, mode: "ingress" as const }] };
  fc.assert(
    fc.property(fc.array(reports, { minLength: 1, maxLength: 4 }), (steps) => {
      let world: World = {
        nodes: new Map(),
        services: new Map([[own.id, own]]),
        tasks: new Map(),
        servers: new Map(),
        networks: new Map(),
      };
      for (const [step, nodeReports] of steps.entries()) {
        world = withDiscovered(worldOf(nodeReports, world), 10_000 + step);
        expect(withDiscovered(world, 20_000)).toBe(world);
        expect(world.services.get(own.id)).toBe(own);
        const published = [...world.services.values()].flatMap(({ ports }) =>
          ports.map((item) => item.published),
        );
        expect(new Set(published).size).toBe(published.length);
        const names = [...world.services.values()].map(({ spec }) => spec.name);
        expect(new Set(names).size).toBe(names.length);
        for (const { serviceId, nodeId } of world.tasks.values()) {
          expect(world.services.get(serviceId)?.discovered).toBeDefined();
          expect(world.nodes.get(nodeId ?? "")?.discovery).toBeDefined();
        }
      }
    }),
    { numRuns: 300 },
  );
});
