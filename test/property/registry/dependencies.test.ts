import fc from "fast-check";
import { expect, test } from "vitest";
import { isAlive } from "../../../src/domain/model/task.ts";
import { input, TestMesh, type TestNode } from "../../unit/registry/harness.ts";

const secretCount = 3;

const step = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    service: fc.nat(3),
    secrets: fc.subarray([0, 1, 2]),
    replicas: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant("remove" as const), service: fc.nat(3) }),
  fc.record({ kind: fc.constant("work" as const), except: fc.nat(2) }),
);

test("[M103] whatever happens, a node gets exactly the secrets of its own live tasks", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const mesh = new TestMesh();
      const nodes = ["node1", "node2", "node3"].map((name) => mesh.node(name));
      const ids = Array.from({ length: secretCount }, (_, index) => {
        const secret = { kind: "secret", name: `s${index}`, labels: {}, data: "eA==" } as const;
        const made = mesh.registry.createDependency(secret, "operator");
        return made.ok ? made.value.id : "";
      });
      for (const one of steps) {
        const name = one.kind === "work" ? "" : `service${one.service}`;
        if (one.kind === "create") {
          const dependencies = one.secrets.map((index) => ({
            kind: "secret" as const,
            id: ids[index] ?? "",
            name: `s${index}`,
          }));
          const run = { ...input(name).spec.run, dependencies };
          const mode = { kind: "replicated", replicas: one.replicas } as const;
          mesh.registry.createService(input(name, { run, mode, ports: [] }), "operator");
        }
        if (one.kind === "remove") mesh.registry.removeService(name, "operator");
        if (one.kind === "work") mesh.work([nodes[one.except]?.id ?? ""]);
        for (const node of nodes) expect(given(mesh, node, ids)).toEqual(needed(mesh, node));
      }
    }),
    { numRuns: 60 },
  );
});

function given(mesh: TestMesh, { id, credential }: TestNode, ids: readonly string[]): readonly string[] {
  return ids.filter((secret) => mesh.registry.taskDependency(id, credential, secret).ok).sort();
}

function needed(mesh: TestMesh, { id }: TestNode): readonly string[] {
  const live = mesh.tasks().filter((task) => task.nodeId === id && isAlive(task));
  return [...new Set(live.flatMap(({ run }) => (run.dependencies ?? []).map((ref) => ref.id)))].sort();
}
