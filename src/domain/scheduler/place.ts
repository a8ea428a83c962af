// Placement: chooses a node for each unplaced task, or gives the reason why no node can take it.
//
// Tasks are spread as in SwarmKit: of the nodes that pass all filters, those whose labels have the values with
// the fewest tasks of the service, by each placement preference in turn; of those the one with the fewest tasks
// of the service; of those the one with the fewest tasks in all; of those the first by host name. A node on which
// the current version of the service keeps failing comes last, however few tasks it has. Running tasks are
// never moved to rebalance nodes.

import { compareStrings } from "../model/compare.ts";
import type { MeshNode } from "../model/node.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import { type FilterName, failedFilter, noSuitableNodeText } from "./filter.ts";
import { type ChoiceContext, NodeChoice, type UnplacedTask } from "./node-choice.ts";
import { NodeInfos, type NodeTasks } from "./node-info.ts";

/** What the scheduler knows of a mesh. */
type PlacementContext = Omit<ChoiceContext, "infos"> & {
  readonly world: World;
  /** The tasks of each node as they are now, which decide how full it is. */
  readonly nodeTasks: NodeTasks;
};

/** The node of a task, or the reason why no node can take it. */
export type Placement =
  | { readonly task: Task; readonly node: MeshNode }
  | { readonly task: Task; readonly node: null; readonly reason: string };

/**
 * Places tasks in the order in which they were created.
 *
 * @returns one placement per unplaced task; those without a node come last
 * @see docs/spec.md S1-S31
 */
export function placeTasks(
  unplaced: readonly UnplacedTask[],
  context: PlacementContext,
): readonly Placement[] {
  const infos = new NodeInfos(context.world, context.nodeTasks);
  const choices = new Map<string, NodeChoice>();
  const placed: Placement[] = [];
  const unplaceable: (UnplacedTask & { readonly choice: NodeChoice })[] = [];
  for (const waiting of unplaced.toSorted(byCreation)) {
    const { task, service } = waiting;
    const choice = choices.get(service.id) ?? new NodeChoice(service, { ...context, infos });
    choices.set(service.id, choice);
    const node = choice.choose(waiting);
    if (node === null) unplaceable.push({ ...waiting, choice });
    else placed.push({ task, node });
  }
  // Reasons come last, because every placed task makes a node fuller: they must hold once all tasks are
  // placed. A thousand tasks may have the same.
  const shared = new Map<NodeChoice, string>();
  const withReasons = unplaceable.map(({ choice, ...waiting }): Placement => {
    const isShared = waiting.task.forNode === undefined && waiting.outgoingNodeId === null;
    const reason = (isShared ? shared.get(choice) : undefined) ?? noNodeReason(choice, waiting, infos);
    if (isShared) shared.set(choice, reason);
    return { task: waiting.task, node: null, reason };
  });
  return [...placed, ...withReasons];
}

function noNodeReason(
  { requirements }: NodeChoice,
  { task, outgoingNodeId }: UnplacedTask,
  infos: NodeInfos,
): string {
  const counts = new Map<FilterName, number>();
  for (const info of task.forNode === undefined ? infos.all() : infos.only(task.forNode)) {
    const filter = failedFilter(info, requirements, outgoingNodeId);
    if (filter !== null) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  }
  return noSuitableNodeText(counts);
}

function byCreation(a: UnplacedTask, b: UnplacedTask): number {
  return (
    a.task.createdAtMs - b.task.createdAtMs ||
    compareStrings(a.service.spec.name, b.service.spec.name) ||
    a.task.slot - b.task.slot
  );
}
