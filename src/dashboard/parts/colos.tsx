// Tasks by colo: the attempts that each Cloudflare data center made at each task of a service or node. A task
// can fail for one colo and work for another.

import { isAlive } from "../../domain/model/task.ts";
import type { ColoTaskTraffic, ColoTraffic, Snapshot } from "../../telemetry/snapshot.ts";
import { isFailing } from "../../telemetry/traffic-problems.ts";
import { type DisplayStatus, statusMeanings } from "../display-status.ts";
import { formatInteger, formatUtc, pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { ErrorShare, formatLatency } from "./traffic-cells.tsx";

/** Columns shown; a service may have more tasks. */
const maxTaskColumns = 24;

export function ColoSection({ snapshot, view }: { snapshot: Snapshot | null; view: DashboardView }) {
  const colos = snapshot?.colos ?? [];
  const seenTaskIds = new Set(colos.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)));
  // The snapshot still counts tasks that have ended.
  const aliveTaskIds = new Set(view.tasks.flatMap((task) => (isAlive(task) ? task.id : [])));
  const columns = (snapshot?.services ?? [])
    .flatMap((service) => service.tasks)
    .filter(({ id }) => seenTaskIds.has(id) && aliveTaskIds.has(id))
    .slice(0, maxTaskColumns);
  return (
    <section aria-labelledby="colos-title" id="colos" data-part>
      {columns.length > 0 && (
        <>
          <div class="heading">
            <h2 id="colos-title">By colo</h2>
            <p class="muted">Attempts, failures and p95 since {formatUtc(snapshot?.sinceMs ?? 0)}</p>
          </div>
          <DataTable
            label="Tasks by colo"
            headings={["Colo", ...columns.map(({ name }) => name)]}
            tableClass="map colos"
          >
            {colos.map((traffic) => (
              <ColoRows traffic={traffic} columns={columns} />
            ))}
          </DataTable>
        </>
      )}
    </section>
  );
}

type TaskColumn = { readonly id: string };

/** A row for the colo, and one for each of its isolates if it has several. */
function ColoRows({
  traffic: { colo, tasks, isolates },
  columns,
}: {
  traffic: ColoTraffic;
  columns: readonly TaskColumn[];
}) {
  return (
    <>
      <ColoRow
        label={colo}
        note={isolates.length === 0 ? "idle" : pluralize(isolates.length, "isolate")}
        tasks={tasks}
        columns={columns}
        isolateCount={isolates.length}
      />
      {isolates.length > 1 &&
        isolates.map((isolate) => (
          <ColoRow
            label={`isolate ${isolate.id.slice(0, 6)}`}
            tasks={isolate.tasks}
            columns={columns}
            isolateCount={1}
            isInner
          />
        ))}
    </>
  );
}

function ColoRow({
  label,
  note,
  tasks,
  columns,
  isolateCount,
  isInner = false,
}: {
  label: string;
  note?: string;
  tasks: readonly ColoTaskTraffic[];
  columns: readonly TaskColumn[];
  isolateCount: number;
  isInner?: boolean;
}) {
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  return (
    <tr class={isInner ? "is-inner" : ""}>
      <th scope="row">
        {label}
        {note !== undefined && <span class="sub">{note}</span>}
      </th>
      {columns.map(({ id }) => (
        <td>
          <AttemptStats task={byId.get(id)} isolateCount={isolateCount} />
        </td>
      ))}
    </tr>
  );
}

function AttemptStats({ task, isolateCount }: { task: ColoTaskTraffic | undefined; isolateCount: number }) {
  if (task === undefined || task.counts.attempts === 0) return <span class="muted">no attempts</span>;
  const { counts, latency, ejectedBy } = task;
  const failed = counts.responses5xx + counts.connectErrors + counts.timeouts;
  const status: DisplayStatus = ejectedBy > 0 ? "unhealthy" : "running";
  return (
    <>
      <span class={`state is-${status}`}>
        <Glyph status={status} />{" "}
        {ejectedBy === 0 ? (
          <span class="visually-hidden">{statusMeanings[status]}</span>
        ) : isolateCount > 1 ? (
          `ejected by ${ejectedBy} of ${isolateCount},`
        ) : (
          "ejected,"
        )}
      </span>{" "}
      {formatInteger(counts.attempts)}
      <span class="sub">
        <ErrorShare share={Math.min(1, failed / counts.attempts)} isBad={isFailing(task.recent)} /> failed,{" "}
        {formatLatency(latency.count === 0 ? null : latency.p95Ms)}
      </span>
    </>
  );
}
