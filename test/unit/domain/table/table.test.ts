import { describe, expect, test } from "vitest";
import { compileTable } from "../../../../src/domain/compile/compile-table.ts";
import type { Task } from "../../../../src/domain/model/task.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { aNode, aService, aTask, aWorld, healthy, now } from "../../../support/world.ts";

const node1 = aNode({ hostname: "node1" });
const node2 = aNode({ hostname: "node2", address: "127.0.0.3" });
const down2 = { ...node2, state: "down" as const };

describe("compiling", () => {
  const service = aService();
  const slots = (tasks: readonly Task[], nodes = [node1, node2]) =>
    compileTable(aWorld(nodes, [service], tasks), 1).services[0]?.tasks.map(({ slot }) => slot);

  test("[R5] a task leaves the table as soon as it should stop, is unhealthy or does not run", () => {
    expect(slots([aTask(service)])).toEqual([1]);
    expect(slots([aTask(service, { health: null })])).toEqual([1]);
    expect(slots([aTask(service, { desired: "shutdown" })])).toEqual([]);
    expect(slots([aTask(service, { desired: "remove" })])).toEqual([]);
    expect(slots([aTask(service, { state: "starting" })])).toEqual([]);
    expect(slots([aTask(service, { health: { ...healthy, verdict: "unhealthy" } })])).toEqual([]);
    expect(slots([aTask(service, { health: { ...healthy, verdict: "starting" } })])).toEqual([]);
    expect(slots([aTask(service, { endpoints: [] })])).toEqual([]);
  });

  test("[R6] a task on a node that is down is used only if its service has no other", () => {
    const one = aTask(service, { slot: 1, nodeId: node1.id });
    const two = aTask(service, { slot: 2, nodeId: node2.id });
    expect(slots([one, two], [node1, down2])).toEqual([1]);
    expect(slots([{ ...one, desired: "shutdown" }, two], [node1, down2])).toEqual([2]);
    expect(slots([one, two], [node1])).toEqual([1]);
  });

  test("[R7] a node that is not ready is in the table but not up", () => {
    const disconnected = aNode({ hostname: "node3", state: "disconnected" });
    const { nodes } = compileTable(aWorld([node1, down2, disconnected]), 1);
    expect(nodes.map(({ name, up }) => [name, up])).toEqual([
      ["node1", true],
      ["node2", false],
      ["node3", false],
    ]);
  });

  test("[R8] the default service is the oldest with the label, else the oldest with an ingress port", () => {
    const inside = aService({ name: "inside", ports: [] }, { createdAtMs: now - 4 });
    const first = aService({ name: "first" }, { createdAtMs: now - 3 });
    const second = aService({ name: "second" }, { createdAtMs: now - 2 });
    const withLabel = aService(
      { name: "asking", ports: [], labels: { "waggle.default": "true" } },
      { createdAtMs: now - 1 },
    );
    expect(compileTable(aWorld([], [withLabel, second, first, inside]), 1).defaultService).toBe("asking");
    expect(compileTable(aWorld([], [second, first, inside]), 1).defaultService).toBe("first");
    expect(compileTable(aWorld([], [inside]), 1).defaultService).toBeNull();
    const tcp = { ...first, spec: { ...first.spec, labels: { "waggle.mode": "tcp" } } };
    expect(compileTable(aWorld([], [tcp, second]), 1).defaultService).toBe("second");
  });

  test("[R9] a host name of two services belongs to the older one", () => {
    const older = aService(
      { name: "older", labels: { "waggle.host": "A.example.com" } },
      { createdAtMs: now - 2 },
    );
    const newer = aService(
      { name: "newer", labels: { "waggle.host": "b.example.com,a.example.com" } },
      { createdAtMs: now - 1 },
    );
    const { services } = compileTable(aWorld([], [newer, older]), 1);
    expect(services.map(({ name, hosts }) => [name, hosts])).toEqual([
      ["newer", ["b.example.com"]],
      ["older", ["a.example.com"]],
    ]);
  });
});

describe("printing and reading", () => {
  const shown = aService({
    labels: { "waggle.host": "www.example.com,example.com" },
    ports: [
      { target: 80, published: 8080, mode: "ingress" },
      { target: 443, published: 8443, mode: "host" },
    ],
  });
  const other = aService({ name: "api", ports: [{ target: 3000, published: 30_000, mode: "ingress" }] });
  const twin = aNode({ id: "twin".padEnd(25, "0"), hostname: "node2", address: "a host", state: "down" });
  const { transport: _, ...unheard } = twin;
  const entry = { ...node2, entryHosts: ["Node2.example.com", "a.node2.example.com", "not a host"] };
  const table = compileTable(
    aWorld(
      [entry, unheard, node1],
      [shown, other],
      [
        aTask(shown, { slot: 2, nodeId: node2.id }),
        aTask(shown, {
          slot: 1,
          endpoints: [
            { target: 443, origin: "http://127.0.0.2:2" },
            { target: 80, origin: "http://127.0.0.2:1" },
          ],
        }),
      ],
    ),
    42,
  );

  test("[R10] a table prints one line per object, sorted by name; a word with a space is quoted", async () => {
    await expect(printTable(table)).toMatchFileSnapshot("../../../golden/table/two-services.txt");
    await expect(printTable(compileTable(aWorld(), 0))).toMatchFileSnapshot(
      "../../../golden/table/empty.txt",
    );
    expect(readTable(printTable(table))).toEqual(table);
  });

  test("[R11] an error names the line number, the line and what was expected", () => {
    const lines = printTable(table).split("\n");
    const errorAfter = (at: number, line: string | null) => {
      const changed = line === null ? lines.toSpliced(at - 1, 1) : lines.with(at - 1, line);
      try {
        readTable(changed.join("\n"));
        return "read";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const read = (at: number) => JSON.stringify(lines[at - 1]);
    expect(errorAfter(1, "waggle-table 4")).toBe(
      'routing table, line 1: read "waggle-table 4", expected "waggle-table 3"',
    );
    expect(errorAfter(2, "version -1")).toBe(
      'routing table, line 2: read "version -1", expected a version, a whole number from 0',
    );
    expect(errorAfter(3, "default nobody")).toBe(
      'routing table, line 3: read "default nobody", expected a service of this table, or -',
    );
    expect(errorAfter(5, lines[5] ?? "")).toBe(
      `routing table, line 6: read ${read(6)}, expected names in ascending order, and ids for equal names`,
    );
    expect(errorAfter(5, "node node1 x maybe y - - -")).toBe(
      'routing table, line 5: read "node node1 x maybe y - - -", expected up, down, drain, maint, down,drain, down,maint',
    );
    expect(errorAfter(9, "  publish 30000:0/ingress")).toBe(
      'routing table, line 9: read "  publish 30000:0/ingress", expected a port from 1 to 65535',
    );
    expect(errorAfter(15, "  task x slot 1 on nobody weight 1 80=y")).toBe(
      'routing table, line 15: read "  task x slot 1 on nobody weight 1 80=y", expected a node of this table, not "nobody"',
    );
    expect(errorAfter(16, lines[14] ?? "")).toBe(
      `routing table, line 16: read ${read(15)}, expected tasks in ascending order of ids, each once`,
    );
    expect(errorAfter(17, null)).toMatch(/^routing table, line 17: read the end, expected /);
  });
});
