// The page of one task: its state, its logs and its events.

import { haproxyStatus } from "../../domain/model/health.ts";
import { isAlive, type Task, taskName } from "../../domain/model/task.ts";
import { EventSection } from "../parts/event-list.tsx";
import { Elapsed } from "../parts/inline-text.tsx";
import { LogPane } from "../parts/log-pane.tsx";
import { Stat } from "../parts/stat.tsx";
import { TaskState } from "../parts/task-table.tsx";
import { nodePath, servicePath, taskPath } from "../paths.ts";
import type { DashboardView } from "../view.ts";

export function TaskPage({
  view,
  task,
  logRefusal,
}: {
  view: DashboardView;
  task: Task;
  /** Why the user sees no logs. */
  logRefusal: string | null;
}) {
  const service = view.serviceById.get(task.serviceId);
  const node = view.nodeById.get(task.nodeId ?? "");
  return (
    <>
      <div class="title" id="title" data-part>
        <h1>{taskTitle(task, view)}</h1>
        <p class="muted">{task.id}</p>
      </div>
      <dl class="stats" id="stats" data-part>
        <div>
          <dt>State</dt>
          <dd class="small">
            <TaskState task={task} view={view} />
          </dd>
        </div>
        <div>
          <dt>For</dt>
          <dd class="small">
            <Elapsed sinceMs={task.stateSinceMs} nowMs={view.nowMs} />
          </dd>
        </div>
        {service !== undefined && (
          <div>
            <dt>Service</dt>
            <dd class="small">
              <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
            </dd>
          </div>
        )}
        {node !== undefined && (
          <div>
            <dt>Node</dt>
            <dd class="small">
              <a href={nodePath(node, view.nodes)}>{node.hostname}</a>
            </dd>
          </div>
        )}
        {isAlive(task) && <Stat label="Check" value={haproxyStatus(task.health)} />}
      </dl>
      <LogPane path={taskPath(task.id)} refusal={logRefusal} />
      <EventSection events={view.events.filter(({ subject }) => subject.id === task.id)} view={view} />
    </>
  );
}

/** `my-web.1`; the node's name instead of the slot for a task of a global service. */
export function taskTitle(task: Task, view: DashboardView): string {
  const name = view.serviceById.get(task.serviceId)?.spec.name ?? task.serviceId;
  const node = view.nodeById.get(task.nodeId ?? "")?.hostname ?? task.nodeId;
  return taskName(name, { ...task, nodeId: node });
}
