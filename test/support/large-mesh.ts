// A mesh of 1,000 nodes and 10,000 tasks, written as rows that the registry loads when it starts.

import type { MeshNode } from "../../src/domain/model/node.ts";
import type { Task } from "../../src/domain/model/task.ts";
import { saveWorld } from "../../src/registry/world-rows.ts";
import type { TestMesh } from "../unit/registry/harness.ts";
import { aNode, aService, aTask, aWorld, healthy } from "./world.ts";

const serviceCount = 20;

/** Fills an empty mesh: one node in 250 is down, and one task in 1,000 is unhealthy. */
export function fillLarge(mesh: TestMesh, nodeCount = 1_000, taskCount = 10_000): void {
  const id = (kind: string, number: number) => `${kind}${number.toString(36)}`.padStart(25, "0");
  const nodes = Array.from({ length: nodeCount }, (_, n): MeshNode => {
    const isDown = n % 250 === 249;
    return aNode({
      id: id("n", n),
      hostname: `node${n + 1}`,
      address: `10.0.${n >> 8}.${n & 255}`,
      ...(isDown && { state: "down" as const, message: "heartbeat failure" }),
    });
  });
  const services = Array.from({ length: serviceCount }, (_, n) =>
    aService({ name: `service-${n + 1}`, replicas: taskCount / serviceCount, ports: [] }, { id: id("s", n) }),
  );
  const tasks = Array.from({ length: taskCount }, (_, n): Task => {
    const service = services[n % serviceCount];
    if (service === undefined) throw new Error("no service");
    const slot = Math.floor(n / serviceCount) + 1;
    const health = n % 1_000 === 999 ? { ...healthy, verdict: "unhealthy" as const } : healthy;
    return aTask(service, { id: id("t", n), slot, nodeId: id("n", n % nodeCount), health });
  });
  saveWorld(mesh.database, aWorld(), aWorld(nodes, services, tasks));
  mesh.restart(nodes.map((node) => node.id));
}
