// One node: how it is, its tasks, and what may be done to it.

import type { Availability, MeshNode } from "../../domain/model/node.ts";
import { isAlive } from "../../domain/model/task.ts";
import type { ActionPermission } from "../action-permission.ts";
import { AdminStateLinks } from "../parts/admin-links.tsx";
import { ColoSection } from "../parts/colos.tsx";
import { EventSection } from "../parts/event-list.tsx";
import { LabelList } from "../parts/label-list.tsx";
import { nodeStateText } from "../parts/node-state.tsx";
import { Stat } from "../parts/stat.tsx";
import { TaskTable } from "../parts/task-table.tsx";
import { measurementOf, type PageTraffic, TrafficSection } from "../parts/traffic.tsx";
import { nodePath } from "../paths.ts";
import { formatInteger } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { machineText } from "./nodes.tsx";

export function NodePage({
  view,
  node,
  mayAct,
  measures: { whole, parts, span },
}: {
  view: DashboardView;
  node: MeshNode;
  mayAct: ActionPermission;
  measures: PageTraffic;
}) {
  const tasks = view.tasksOfNode(node.id);
  const alive = tasks.filter((task) => isAlive(task));
  const events = view.events.filter(
    ({ subject, actor }) => subject.id === node.id || actor === `node ${node.hostname}`,
  );
  return (
    <>
      <div class="title" id="title" data-part>
        <h1>{node.hostname}</h1>
        <p class="muted">{machineText(node)}</p>
      </div>
      <dl class="figures" id="figures" data-part>
        <Stat
          label="State"
          value={nodeStateText(node) === "active" ? "ready" : nodeStateText(node)}
          {...(node.message !== "" && { note: node.message })}
        />
        <Stat label="Tasks" value={formatInteger(alive.length)} />
        <Stat label="Address" value={node.address} />
        <Stat label="Agent" value={node.engineVersion} />
      </dl>
      <NodeActions node={node} view={view} mayAct={mayAct} />
      <TrafficSection
        measured={measurementOf(whole, whole?.nodes, node.id)}
        span={span}
        path={nodePath(node, view.nodes)}
      />
      <section aria-labelledby="tasks-title" id="tasks" data-part>
        <h2 id="tasks-title">Tasks</h2>
        <TaskTable tasks={tasks} view={view} by="node" traffic={parts} mayAct={mayAct.may} />
      </section>
      <ColoSection snapshot={parts} view={view} />
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
  mayAct,
}: {
  node: MeshNode;
  view: DashboardView;
  mayAct: ActionPermission;
}) {
  if (!mayAct.may) return <p class="read-only">{mayAct.why}</p>;
  const path = `${nodePath(node, view.nodes)}/availability`;
  const others = (Object.keys(availabilityVerbs) as Availability[]).filter((to) => to !== node.availability);
  return (
    <section class="actions" aria-label="Actions" id="actions" data-part>
      {others.map((to) => (
        <a class="button" href={`${path}?to=${to}`}>
          {availabilityVerbs[to]}…
        </a>
      ))}
      <span class="muted">at the balancer: {node.admin ?? "ready"}, set to</span>
      <AdminStateLinks
        target={{ kind: "node", ref: node.id }}
        name={node.hostname}
        current={node.admin ?? "ready"}
      />
    </section>
  );
}
