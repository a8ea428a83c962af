// Tasks as a table: where each runs, how it is, and since when.

import type { Child } from "hono/jsx";
import { haproxyStatus } from "../../domain/model/health.ts";
import { isAlive, type Task, taskName } from "../../domain/model/task.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import { statusMeanings, taskDisplayStatus } from "../display-status.ts";
import { nodePath, servicePath } from "../paths.ts";
import { pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { AdminStateLinks } from "./admin-links.tsx";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { Elapsed } from "./inline-text.tsx";
import { EmptyTrafficCells, TrafficCells, TrafficHeadings } from "./traffic-cells.tsx";

/** Rows at once. What lives comes first; of what has ended the newest say why. */
const maxTaskRows = 200;

export function TaskTable({
  tasks,
  view,
  by,
  traffic,
  mayAct,
}: {
  tasks: readonly Task[];
  view: DashboardView;
  by: "node" | "service";
  /** Null: nothing of it can be read right now. */
  traffic: Snapshot | null;
  mayAct: boolean;
}) {
  const byTask = new Map(traffic?.services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task])));
  const rows = [...tasks].sort(byUse).slice(0, maxTaskRows);
  if (rows.length === 0) return <p class="empty">No task here.</p>;
  return (
    <>
      <DataTable
        label="Table of tasks"
        headings={[
          "Task",
          by === "service" && "Node",
          "State",
          "For",
          "Check",
          traffic !== null && <TrafficHeadings />,
          "Endpoint",
          mayAct && "Balancing",
        ]}
      >
        {rows.map((task) => (
          <TaskRow task={task} view={view} by={by} mayAct={mayAct}>
            {traffic !== null &&
              (isAlive(task) ? <TrafficCells traffic={byTask.get(task.id)} /> : <EmptyTrafficCells />)}
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
  by: "node" | "service";
  mayAct: boolean;
  children?: Child;
};

function TaskRow({ task, view, by, mayAct, children }: TaskRowProps) {
  const node = view.nodeById.get(task.nodeId ?? "");
  const service = view.serviceById.get(task.serviceId)?.spec.name;
  const look = taskDisplayStatus(task, node);
  const nodeName = node?.hostname ?? null;
  const name = taskName(service ?? task.serviceId, { ...task, nodeId: nodeName ?? task.nodeId });
  return (
    <tr id={task.id} class={isAlive(task) ? "" : "is-past"}>
      <th scope="row">
        {by === "node" && service !== undefined ? <a href={servicePath(service)}>{name}</a> : name}
        <span class="sub">{task.id.slice(0, 12)}</span>
      </th>
      {by === "service" && (
        <td>
          {node === undefined ? (
            <span class="muted">—</span>
          ) : (
            <a href={nodePath(node, view.nodes)}>{node.hostname}</a>
          )}
        </td>
      )}
      <td>
        <span class={`state is-${look}`} title={statusMeanings[look]}>
          <Glyph look={look} /> {stateText(task)}
        </span>
        {task.err !== "" && <span class="err">{task.err}</span>}
      </td>
      <td class="figure">
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
      {mayAct && (
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

/** `running`; with what is wanted of it where that is something else. */
function stateText({ state, desired, admin = "ready" }: Task): string {
  if (admin !== "ready" && isAlive({ state })) return `${state}, in ${admin}`;
  return desired === "running" || state === desired || !isAlive({ state })
    ? state
    : `${state}, to ${desired === "remove" ? "be removed" : "shut down"}`;
}

function byUse(a: Task, b: Task): number {
  if (isAlive(a) !== isAlive(b)) return isAlive(a) ? -1 : 1;
  return isAlive(a) ? a.slot - b.slot || a.createdAtMs - b.createdAtMs : b.createdAtMs - a.createdAtMs;
}
