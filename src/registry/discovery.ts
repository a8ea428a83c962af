// Discovered services in transactions: records what a node reports, and follows it with the services and tasks of the
// world.

import { MeshError } from "../domain/model/error.ts";
import { isBalancer } from "../domain/model/node.ts";
import type { Service } from "../domain/model/service.ts";
import type { World } from "../domain/model/world.ts";
import type { DiscoveryReport } from "../protocol/discovery.ts";
import { withDiscovered } from "./discovered-services.ts";
import { type Draft, nodeSubject, serviceSubject } from "./draft.ts";
import { memberNode } from "./reports.ts";
import { sameData } from "./same-data.ts";
import { changesBetween } from "./versioned-map.ts";
import type { Entities } from "./world-index.ts";

/** Records a report, unless it changes nothing. @throws MeshError node/not-found, discovery/invalid */
export function recordDiscovery(draft: Draft, nodeId: string, report: DiscoveryReport | undefined): void {
  const { discovery, discoveryProblems, ...node } = memberNode(draft, nodeId);
  if (sameData(discovery, report)) return;
  if (report === undefined) draft.put("nodes", node);
  else if (isBalancer(node)) {
    throw new MeshError("discovery/invalid", `${node.hostname} is a balancer and discovers no services`, {
      blame: "node",
      retry: "never",
    });
  } else draft.put("nodes", { ...node, ...(discoveryProblems && { discoveryProblems }), discovery: report });
}

/** Brings discovered services and tasks up to date with the reports of all nodes, and records what changed. */
export function settleDiscovery(draft: Draft): void {
  const before = draft.world;
  if (!isDiscoveryTouched(draft)) return;
  const after = withDiscovered(before, draft.nowMs);
  if (after === before) return;
  const services = changesBetween(before.services, after.services);
  for (const id of services.keys()) {
    const service = after.services.get(id);
    if (service?.discovered === undefined || before.services.has(id)) continue;
    draft.recordEvent(
      actorOf(service, after),
      "service.discover",
      serviceSubject(service),
      service.discovered.source,
    );
  }
  for (const [id, service] of services) {
    if (service !== undefined && !after.services.has(id))
      draft.recordEvent(actorOf(service, before), "service.vanish", serviceSubject(service));
  }
  for (const [id, old] of changesBetween(before.nodes, after.nodes)) {
    const node = after.nodes.get(id);
    for (const problem of node?.discoveryProblems ?? [])
      if (node !== undefined && !old?.discoveryProblems?.includes(problem))
        draft.recordEvent(`node ${node.hostname}`, "node.discovery", nodeSubject(node), problem);
  }
  putChanges(draft, "nodes", after.nodes);
  putChanges(draft, "services", after.services);
  putChanges(draft, "tasks", after.tasks);
}

/** True if a merge may change something: reports, what they are merged with, or what was merged from them. */
function isDiscoveryTouched(draft: Draft): boolean {
  const { index, world } = draft;
  if (index.reporters.size + index.discovered.size === 0) return false;
  if (draft.touched("nodes").size + draft.touched("services").size > 0) return true;
  return [...draft.touched("tasks")].some(([id, before]) => (world.tasks.get(id) ?? before)?.discovered);
}

function putChanges<K extends keyof Entities>(
  draft: Draft,
  kind: K,
  after: ReadonlyMap<string, Entities[K]>,
): void {
  const before: ReadonlyMap<string, Entities[K]> = draft.world[kind];
  for (const id of changesBetween(before, after).keys()) {
    const entry = after.get(id);
    if (entry === undefined) draft.remove(kind, id);
    else draft.put(kind, entry);
  }
}

function actorOf({ discovered }: Service, { nodes }: World): string {
  return `node ${nodes.get(discovered?.nodeId ?? "")?.hostname ?? discovered?.nodeId}`;
}
