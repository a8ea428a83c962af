// The table of a service's or node's tasks: state, health checks, traffic and endpoints.

import type { Child } from "hono/jsx";
import { byUse } from "../../control/mesh-view.ts";
import { haproxyStatus } from "../../domain/model/health.ts";
import { isAlive, type Task, taskName } from "../../domain/model/task.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import { statusMeanings, taskDisplayStatus } from "../display-status.ts";
import { nodePath, servicePath, taskPath } from "../paths.ts";
import { pluralize } from "../text.ts";
import { tasksById } from "../traffic.ts";
import type { DashboardView } from "../view.ts";
import { AdminStateLinks } from "./admin-links.tsx";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { Elapsed } from "./inline-text.tsx";
import { EmptyTrafficCells, TrafficCells, TrafficHeadings } from "./traffic-cells.tsx";

const maxTaskRows = 200;

export function TaskTable({
  tasks,
  view,
  page,
  traffic,
  canAct,
}: {
  tasks: readonly Task[];
  view: DashboardView;
  /** The kind of page the table is on; its own column is left out. */
  page: "node" | "service";
  /** Null if telemetry is unavailable. */
  traffic: Snapshot | null;
  canAct: boolean;
}) {
  const trafficById = tasksById(traffic);
  const rows = tasks.toSorted(byUse).slice(0, maxTaskRows);
  if (rows.length === 0) return <p class="empty">No tasks.</p>;
  return (
    <>
      <DataTable
        label="Table of tasks"
        headings={[
          "Task",
          page === "service" && "Node",
          "State",
          "For",
          "Check",
          traffic !== null && <TrafficHeadings />,
          "Endpoint",
          canAct && "Admin state",
        ]}
      >
        {rows.map((task) => (
          <TaskRow task={task} view={view} page={page} canAct={canAct}>
            {traffic !== null &&
              (isAlive(task) ? <TrafficCells traffic={trafficById.get(task.id)} /> : <EmptyTrafficCells />)}
          </TaskRow>
        ))}
      </DataTable>
      {tasks.length > maxTaskRows && (
        <p class="muted">
          The first {maxTaskRows} of {pluralize(tasks.length, "task")}.
        </p>
      )}
    </>
  );
}

type TaskRowProps = {
  task: Task;
  view: DashboardView;
  page: "node" | "service";
  canAct: boolean;
  /** The traffic cells. */
  children?: Child;
};

function TaskRow({ task, view, page, canAct, children }: TaskRowProps) {
  const node = view.nodeById.get(task.nodeId ?? "");
  const serviceName = view.serviceById.get(task.serviceId)?.spec.name;
  const name = taskName(serviceName ?? task.serviceId, { ...task, nodeId: node?.hostname ?? task.nodeId });
  return (
    <tr id={task.id} class={isAlive(task) ? "" : "is-past"}>
      <th scope="row">
        {page === "node" && serviceName !== undefined ? <a href={servicePath(serviceName)}>{name}</a> : name}
        <a class="sub" href={taskPath(task.id)}>
          {task.id.slice(0, 12)}
        </a>
      </th>
      {page === "service" && (
        <td>
          {node === undefined ? (
            <span class="muted">—</span>
          ) : (
            <a href={nodePath(node, view.nodes)}>{node.hostname}</a>
          )}
        </td>
      )}
      <td>
        <TaskState task={task} view={view} />
      </td>
      <td class="nowrap">
        <Elapsed sinceMs={task.stateSinceMs} nowMs={view.nowMs} />
      </td>
      <td>
        {isAlive(task) && (
          <>
            {haproxyStatus(task.health)}
            {task.health !== null && <span class="sub">{task.health.lastCheck}</span>}
          </>
        )}
      </td>
      {children}
      <td>
        {isAlive(task) &&
          task.endpoints.map(({ origin }) => <span class="sub">{origin.replace(/^http:\/\//, "")}</span>)}
      </td>
      {canAct && (
        <td>
          {isAlive(task) && (
            <AdminStateLinks
              target={{ kind: "task", ref: task.id }}
              name={name}
              current={task.admin ?? "ready"}
            />
          )}
        </td>
      )}
    </tr>
  );
}

export function TaskState({ task, view }: { task: Task; view: DashboardView }) {
  const status = taskDisplayStatus(task, view.nodeById.get(task.nodeId ?? ""));
  return (
    <>
      <span class={`state is-${status}`} title={statusMeanings[status]}>
        <Glyph status={status} /> {stateText(task)}
      </span>
      {task.err !== "" && <span class="err">{task.err}</span>}
    </>
  );
}

/** `running`; `running, in drain`; `running, to shut down` if the desired state differs. */
function stateText({ state, desired, admin = "ready" }: Task): string {
  if (admin !== "ready" && isAlive({ state })) return `${state}, in ${admin}`;
  return desired === "running" || state === desired || !isAlive({ state })
    ? state
    : `${state}, to ${desired === "remove" ? "be removed" : "shut down"}`;
}
