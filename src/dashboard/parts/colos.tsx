// How the isolates of each colo see the tasks of a service or node: a task may fail in one colo and work in another.

import { isAlive } from "../../domain/model/task.ts";
import type { ColoTaskTraffic, ColoTraffic, Snapshot } from "../../telemetry/snapshot.ts";
import { type DisplayStatus, statusMeanings } from "../display-status.ts";
import { formatInteger, formatUtc, pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { ErrorShare, formatLatency } from "./traffic-cells.tsx";

/** Columns of the table; a service of more tasks is told by its worst ones. */
const maxTaskColumns = 24;

export function ColoSection({ snapshot, view }: { snapshot: Snapshot | null; view: DashboardView }) {
  const colos = snapshot?.colos ?? [];
  const seen = new Set(colos.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)));
  // Tasks that have ended are of no interest here, though still counted.
  const alive = new Set(view.tasks.flatMap((task) => (isAlive(task) ? task.id : [])));
  const tasks = (snapshot?.services ?? [])
    .flatMap((service) => service.tasks)
    .filter(({ id }) => seen.has(id) && alive.has(id));
  const columns = tasks.slice(0, maxTaskColumns);
  return (
    <section aria-labelledby="colos-title" id="colos" data-part>
      {tasks.length > 0 && (
        <>
          <div class="heading">
            <h2 id="colos-title">Seen from</h2>
            <p class="muted">
              Attempts, those that failed, and p95, since {formatUtc(snapshot?.sinceMs ?? 0)}
            </p>
          </div>
          <DataTable
            label="Tasks by colo"
            headings={["Colo", ...columns.map(({ name }) => name)]}
            tableClass="map colos"
          >
            {colos.map((colo) => (
              <ColoRows traffic={colo} tasks={columns} />
            ))}
          </DataTable>
        </>
      )}
    </section>
  );
}

type TaskColumn = { readonly id: string };

function ColoRows({
  traffic: { colo, tasks: seen, isolates },
  tasks,
}: {
  traffic: ColoTraffic;
  tasks: readonly TaskColumn[];
}) {
  return (
    <>
      <ColoRow
        label={colo}
        note={isolates.length === 0 ? "quiet now" : pluralize(isolates.length, "isolate")}
        seen={seen}
        tasks={tasks}
        of={isolates.length}
      />
      {isolates.length > 1 &&
        isolates.map((isolate) => (
          <ColoRow
            label={`isolate ${isolate.id.slice(0, 6)}`}
            seen={isolate.tasks}
            tasks={tasks}
            of={1}
            inner
          />
        ))}
    </>
  );
}

function ColoRow({
  label,
  note,
  seen,
  tasks,
  of,
  inner = false,
}: {
  label: string;
  note?: string;
  seen: readonly ColoTaskTraffic[];
  tasks: readonly TaskColumn[];
  of: number;
  inner?: boolean;
}) {
  const byTask = new Map(seen.map((task) => [task.taskId, task]));
  return (
    <tr class={inner ? "is-inner" : ""}>
      <th scope="row">
        {label}
        {note !== undefined && <span class="sub">{note}</span>}
      </th>
      {tasks.map(({ id }) => (
        <td>
          <AttemptStats task={byTask.get(id)} of={of} />
        </td>
      ))}
    </tr>
  );
}

function AttemptStats({ task, of }: { task: ColoTaskTraffic | undefined; of: number }) {
  if (task === undefined || task.counts.attempts === 0) return <span class="muted">not asked</span>;
  const { counts, latency: took, ejectedBy } = task;
  const failed = counts.responses5xx + counts.connectErrors + counts.timeouts;
  const look: DisplayStatus = ejectedBy > 0 ? "unhealthy" : "running";
  return (
    <>
      <span class={`state is-${look}`}>
        <Glyph look={look} />{" "}
        {ejectedBy === 0 ? (
          <span class="unseen">{statusMeanings[look]}</span>
        ) : of > 1 ? (
          `passed over by ${ejectedBy} of ${of},`
        ) : (
          "passed over,"
        )}
      </span>{" "}
      {formatInteger(counts.attempts)}
      <span class="sub">
        <ErrorShare share={Math.min(1, failed / counts.attempts)} /> failed,{" "}
        {formatLatency(took.count === 0 ? null : took.p95Ms)}
      </span>
    </>
  );
}
