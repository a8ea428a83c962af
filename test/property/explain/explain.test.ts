import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable } from "../../../src/domain/compile/compile-table.ts";
import { exclusionReason } from "../../../src/domain/compile/exclusion.ts";
import type { PublishMode } from "../../../src/domain/model/service.ts";
import { isAlive } from "../../../src/domain/model/task.ts";
import type { RoutingTable, TableService } from "../../../src/domain/table/table.ts";
import { explainRoute } from "../../../src/explain/explain.ts";
import type { RouteExplanation } from "../../../src/protocol/route.ts";
import { idOf } from "../../support/dataplane.ts";
import { inProcessPlane } from "../../unit/ingress/in-process-plane.ts";
import { SimulatedMesh, simulatedEvents } from "../domain/orchestrator/simulated-mesh.ts";

const domain = "mesh.example.com";
const nodeNames = ["node1", "node2", "node3"];
const hosts = ["a.example.com", "b.example.com", "c.mesh.example.com"];

/** Small tables in which ports, names and modes often collide. */
const tables: fc.Arbitrary<RoutingTable> = fc
  .tuple(fc.array(fc.boolean(), { maxLength: 3 }), fc.constantFrom(null, "a", "b"))
  .chain(([ups, defaultName]) =>
    fc.tuple(...["a", "b", "c"].map((name) => serviceNamed(name, ups.length))).map((services) => ({
      version: 1,
      nodes: ups.map((up, index) => {
        const name = nodeNames[index] ?? "";
        return { id: idOf(name), name, up, address: `127.0.0.${index + 2}`, hosts: [] };
      }),
      services: withoutClashes(services),
      defaultService: defaultName,
      signingKey: null,
    })),
  );

/** Keeps a port of one service only, unless all publish it in host mode. */
function withoutClashes(services: readonly TableService[]): TableService[] {
  const owners = new Map<number, PublishMode>();
  return services.map((service) => ({
    ...service,
    ports: service.ports.filter(({ published, mode }) => {
      const owner = owners.get(published);
      owners.set(published, owner ?? mode);
      return owner === undefined || (owner === "host" && mode === "host");
    }),
  }));
}

function serviceNamed(name: string, nodes: number): fc.Arbitrary<TableService> {
  const mode = fc.constantFrom("ingress" as const, "host" as const);
  const port = fc.record({ target: fc.constantFrom(80, 81), published: fc.constantFrom(8080, 8081), mode });
  const task = fc.record({
    node: fc.nat({ max: Math.max(nodes - 1, 0) }),
    weight: fc.constantFrom(0, 1, 1, 1),
    targets: fc.subarray([80, 81], { minLength: 1 }),
  });
  return fc
    .record({
      ports: fc.uniqueArray(port, { selector: ({ published }) => published, maxLength: 2 }),
      tasks: fc.array(task, { maxLength: nodes === 0 ? 0 : 3 }),
      host: fc.constantFrom(...hosts, null),
    })
    .map(({ ports, tasks, host }) => ({
      id: idOf(name),
      name,
      policy: "roundrobin" as const,
      ports: ports.toSorted((a, b) => a.published - b.published),
      hosts: host === null ? [] : [host],
      tasks: tasks.map(({ node, weight, targets }, index) => ({
        id: idOf(`${name}${index}`),
        slot: index + 1,
        nodeId: idOf(nodeNames[node] ?? ""),
        weight,
        endpoints: targets.map((target) => [target, `http://${name}${index}-${target}.test`] as const),
      })),
    }));
}

const entryPoints = fc.record({
  role: fc.constantFrom("edge" as const, "ingress" as const),
  node: fc.constantFrom(...nodeNames),
  port: fc.constantFrom(null, 8080, 8081, 8082),
  host: fc.constantFrom(...hosts, "b.mesh.example.com", "no.mesh.example.com", "127.0.0.1"),
});

test("[E1] the explanation and the data plane agree on the result, the nodes and the tasks", async () => {
  const property = fc.asyncProperty(tables, entryPoints, async (table, { host, ...entryPoint }) => {
    const entry = { ...entryPoint, node: entryPoint.role === "edge" ? null : entryPoint.node, why: "" };
    const explained = explainRoute(table, { method: "GET", host, path: "/", entry, domain });
    const mesh = inProcessPlane(table);
    const nodes = new Set<string | null>();
    // Each of at most 3 nodes gets as many requests as there are tasks, at most 9.
    for (let turn = 0; turn < 3 * 9; turn += 1) {
      const headers = { host, "x-waggle-debug": "1" };
      const response = await mesh.send({ entry: { ...entry, mayDebug: () => true }, headers });
      nodes.add(response.headers.get("x-waggle-node"));
      expect(verdictOf(explained)).toEqual(response.status === 200 ? "a task" : await refusalIn(response));
    }
    expect(pickedIn(explained.tasks, ({ origin }) => origin)).toEqual([...new Set(mesh.origins())].sort());
    if (explained.response.by === "task") {
      expect(pickedIn(explained.nodes, ({ name }) => name)).toEqual([...nodes].sort());
    }
  });
  await fc.assert(property, { numRuns: 300 });
});

test("[E4] every live task of a service is in the table or has an exclusion reason", () => {
  const worlds = fc.array(simulatedEvents, { minLength: 3, maxLength: 40, size: "max" }).map((events) => {
    const mesh = new SimulatedMesh();
    for (const event of events) mesh.apply(event);
    return mesh.world;
  });
  fc.assert(
    fc.property(worlds, (world) => {
      const inTable = new Set(
        compileTable(world, 1).services.flatMap(({ tasks }) => tasks.map(({ id }) => id)),
      );
      for (const task of world.tasks.values()) {
        if (!isAlive(task) || !world.services.has(task.serviceId)) continue;
        const reason = exclusionReason(task, world.nodes.get(task.nodeId ?? ""));
        if (!inTable.has(task.id)) expect(reason).not.toBeNull();
        // A fallback task is in the table although its node is down.
        else if (reason !== null) expect(reason).toContain("is down");
      }
    }),
  );
});

function verdictOf({ response }: RouteExplanation): string {
  return response.by === "task" ? "a task" : `${response.status} ${response.reason}`;
}

async function refusalIn(response: Response): Promise<string> {
  const { message } = (await response.json()) as { message: string };
  return `${response.status} ${message}`;
}

function pickedIn<T extends { readonly picked: boolean }>(
  list: readonly T[],
  key: (candidate: T) => string | null,
) {
  return list
    .filter(({ picked }) => picked)
    .map(key)
    .sort();
}
