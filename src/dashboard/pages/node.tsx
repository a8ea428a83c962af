// The page of one node: its state, actions, traffic, tasks and events.

import type { Availability, MeshNode } from "../../domain/model/node.ts";
import { nodeReach } from "../../domain/model/node-gateway.ts";
import { isAlive } from "../../domain/model/task.ts";
import type { ActionPermission } from "../action-permission.ts";
import { AdminStateLinks } from "../parts/admin-links.tsx";
import { ColoSection } from "../parts/colos.tsx";
import { EventSection } from "../parts/event-list.tsx";
import { LabelList } from "../parts/label-list.tsx";
import { nodeStateText } from "../parts/node-state.tsx";
import { ProblemList } from "../parts/problem-list.tsx";
import { Stat } from "../parts/stat.tsx";
import { TaskTable } from "../parts/task-table.tsx";
import { measurementOf, type PageTraffic, TrafficSection } from "../parts/traffic.tsx";
import { nodePath } from "../paths.ts";
import { problemsOfNode } from "../problem-groups.ts";
import { formatInteger } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { machineText } from "./nodes.tsx";

export function NodePage({
  view,
  node,
  permission,
  traffic: { total, byTask, range },
}: {
  view: DashboardView;
  node: MeshNode;
  permission: ActionPermission;
  traffic: PageTraffic;
}) {
  const tasks = view.tasksOfNode(node.id);
  const reach = nodeReach(node);
  const aliveCount = tasks.filter((task) => isAlive(task)).length;
  const events = view.events.filter(
    ({ subject, actor }) => subject.id === node.id || actor === `node ${node.hostname}`,
  );
  return (
    <>
      <div class="title" id="title" data-part>
        <h1>{node.hostname}</h1>
        <p class="muted">{machineText(node)}</p>
      </div>
      <dl class="stats" id="stats" data-part>
        <Stat
          label="State"
          value={nodeStateText(node)}
          {...(node.message !== "" && { note: node.message })}
        />
        <Stat label="Admin state" value={node.admin ?? "ready"} />
        <Stat label="Tasks" value={formatInteger(aliveCount)} />
        <Stat label="Address" value={node.address} />
        {reach !== null && (
          <Stat label="Transport" value={reach.transport} note={reach.reason || reach.url} />
        )}
        <Stat label="Agent" value={node.engineVersion} />
      </dl>
      <ProblemList view={view} problems={problemsOfNode(view.problems, node.hostname)} />
      <NodeActions node={node} view={view} permission={permission} />
      <TrafficSection
        measurement={measurementOf(total, total?.nodes, node.id)}
        range={range}
        path={nodePath(node, view.nodes)}
        isPassedOn
      />
      <section aria-labelledby="tasks-title" id="tasks" data-part>
        <h2 id="tasks-title">Tasks</h2>
        <TaskTable tasks={tasks} view={view} page="node" traffic={byTask} canAct={permission.isAllowed} />
      </section>
      <ColoSection snapshot={byTask} view={view} />
      <LabelList labels={node.labels} />
      <EventSection events={events} view={view} />
    </>
  );
}

const availabilityVerbs: Readonly<Record<Availability, string>> = {
  active: "Activate",
  pause: "Pause",
  drain: "Drain",
};

function NodeActions({
  node,
  view,
  permission,
}: {
  node: MeshNode;
  view: DashboardView;
  permission: ActionPermission;
}) {
  if (!permission.isAllowed) return <p class="read-only">{permission.reason}</p>;
  const path = `${nodePath(node, view.nodes)}/availability`;
  const others = (Object.keys(availabilityVerbs) as Availability[]).filter(
    (availability) => availability !== node.availability,
  );
  return (
    <section class="actions" aria-label="Actions" id="actions" data-part>
      {others.map((availability) => (
        <a class="button" href={`${path}?to=${availability}`}>
          {availabilityVerbs[availability]}…
        </a>
      ))}
      <a class="button" href={`${nodePath(node, view.nodes)}/remove`}>
        Remove…
      </a>
      <span class="muted">Set admin state to</span>
      <AdminStateLinks
        target={{ kind: "node", ref: node.id }}
        name={node.hostname}
        current={node.admin ?? "ready"}
      />
    </section>
  );
}
