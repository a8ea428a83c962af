import { expect, test } from "vitest";
import { SchedulableNodes } from "../../../src/registry/schedulable-nodes.ts";
import { aNode } from "../../support/world.ts";
import { input, TestMesh } from "./harness.ts";

test("[S33] the scheduler's view of the nodes has a leaving one as drained, no balancer, and the others as they are", () => {
  const [plain, leaving, balancer] = [
    aNode({ id: "n1" }),
    aNode({ id: "n2", leaving: true }),
    aNode({ id: "n3", kind: "balancer" }),
  ];
  const nodes = new Map([plain, leaving, balancer].map((node) => [node.id, node]));
  const view = new SchedulableNodes(nodes, ["n2", "n3", "removed"]);
  const expected = new Map([
    ["n1", plain],
    ["n2", { ...leaving, availability: "drain" as const }],
  ]);
  expect(new Map(view)).toEqual(expected);
  expect([...view.keys()]).toEqual([...expected.keys()]);
  expect([...view.values()]).toEqual([...expected.values()]);
  expect(view.size).toBe(2);
  for (const id of ["n1", "n2", "n3", "other"]) {
    expect(view.get(id)).toEqual(expected.get(id));
    expect(view.has(id)).toBe(expected.has(id));
  }
});

test("[S33] once ranks are kept, tasks go to no node that began to leave, and to one that came back", () => {
  const mesh = new TestMesh();
  const [first, second] = ["node1", "node2"].map((name) => mesh.node(name));
  const hostOf = (service: string) => mesh.nodes.get(mesh.tasks(service)[0]?.nodeId ?? "")?.name;
  mesh.service("a");
  expect(hostOf("a")).toBe("node1");
  mesh.send(second?.id ?? "", { type: "leaving" });
  mesh.service("b");
  expect(hostOf("b")).toBe("node1");
  if (second !== undefined) mesh.hello(second);
  mesh.registry.createService(input("c"), "operator");
  expect(hostOf("c")).toBe("node2");
  expect(first?.name).toBe("node1");
});
