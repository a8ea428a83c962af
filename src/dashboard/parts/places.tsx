// Places: how each place of the world sees the tasks of a service or node, for a task can be well in one and not in
// another.

import { isAlive } from "../../domain/task.ts";
import type { PlaceTraffic, SeenTask, Snapshot } from "../../telemetry/snapshot.ts";
import { type Look, meanings } from "../task-look.ts";
import { count, moment } from "../text.ts";
import type { View } from "../view.ts";
import { Glyph } from "./glyph.tsx";
import { Errors, latency } from "./now.tsx";
import { number } from "./words.tsx";

/** Columns of the table; a service of more tasks is told by its worst ones. */
const maxTasks = 24;

export function Places({ snapshot, view }: { snapshot: Snapshot | null; view: View }) {
  const places = snapshot?.places ?? [];
  const seen = new Set(places.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId)));
  // Tasks that have ended are of no interest here, though still counted.
  const alive = new Set(view.tasks.flatMap((task) => (isAlive(task) ? task.id : [])));
  const tasks = (snapshot?.services ?? [])
    .flatMap((service) => service.tasks)
    .filter(({ id }) => seen.has(id) && alive.has(id));
  return (
    <section aria-labelledby="places-title" id="places" data-part>
      {tasks.length > 0 && (
        <>
          <div class="heading">
            <h2 id="places-title">Seen from</h2>
            <p class="muted">Attempts, those that failed, and p95, since {moment(snapshot?.sinceMs ?? 0)}</p>
          </div>
          <section class="scroll" aria-label="Tasks by place" tabindex={0}>
            <table class="map places">
              <thead>
                <tr>
                  <th scope="col">Place</th>
                  {tasks.slice(0, maxTasks).map(({ name }) => (
                    <th scope="col">{name}</th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {places.map((place) => (
                  <Place place={place} tasks={tasks.slice(0, maxTasks)} />
                ))}
              </tbody>
            </table>
          </section>
        </>
      )}
    </section>
  );
}

type Named = { readonly id: string };

function Place({
  place: { place, tasks: seen, isolates },
  tasks,
}: {
  place: PlaceTraffic;
  tasks: readonly Named[];
}) {
  return (
    <>
      <Row
        label={place}
        note={isolates.length === 0 ? "quiet now" : count(isolates.length, "isolate")}
        seen={seen}
        tasks={tasks}
        of={isolates.length}
      />
      {isolates.length > 1 &&
        isolates.map((isolate) => (
          <Row label={`isolate ${isolate.id.slice(0, 6)}`} seen={isolate.tasks} tasks={tasks} of={1} inner />
        ))}
    </>
  );
}

function Row({
  label,
  note,
  seen,
  tasks,
  of,
  inner = false,
}: {
  label: string;
  note?: string;
  seen: readonly SeenTask[];
  tasks: readonly Named[];
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
          <Seen task={byTask.get(id)} of={of} />
        </td>
      ))}
    </tr>
  );
}

function Seen({ task, of }: { task: SeenTask | undefined; of: number }) {
  if (task === undefined || task.counts.attempts === 0) return <span class="muted">not asked</span>;
  const { counts, latency: took, ejectedBy } = task;
  const failed = counts.responses5xx + counts.connectErrors + counts.timeouts;
  const look: Look = ejectedBy > 0 ? "unhealthy" : "running";
  return (
    <>
      <span class={`state is-${look}`}>
        <Glyph look={look} />{" "}
        {ejectedBy === 0 ? (
          <span class="unseen">{meanings[look]}</span>
        ) : of > 1 ? (
          `passed over by ${ejectedBy} of ${of},`
        ) : (
          "passed over,"
        )}
      </span>{" "}
      {number(counts.attempts)}
      <span class="sub">
        <Errors share={Math.min(1, failed / counts.attempts)} /> failed,{" "}
        {latency(took.count === 0 ? null : took.p95Ms)}
      </span>
    </>
  );
}
