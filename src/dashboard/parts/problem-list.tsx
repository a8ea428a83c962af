// The mesh's problems, each with its causes and the next step.

import type { StatusNote, StatusProblem } from "../../protocol/status.ts";
import { nodePath, servicePath } from "../paths.ts";
import { groupProblems, type ProblemGroup } from "../problem-groups.ts";
import { pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { Elapsed, TextWithCode } from "./inline-text.tsx";

/** The first ones are enough to recognize a large outage. */
const maxProblemsShown = 12;
const maxTasksNamed = 3;

/** @param problems those of the whole mesh, or of the page's subject */
export function ProblemList({
  view,
  problems = view.problems,
}: {
  view: DashboardView;
  problems?: readonly StatusProblem[];
}) {
  const groups = groupProblems(problems);
  const moreCount = groups.length - maxProblemsShown;
  return (
    <section aria-label="Problems" id="problems" data-part>
      {groups.length > 0 && (
        <>
          <h2>Problems</h2>
          <ul class="problems">
            {groups.slice(0, maxProblemsShown).map((group) => (
              <li class={`is-${group.severity}`}>
                <h3>
                  <Subject what={group.what} view={view} />
                  {group.sinceMs !== null && (
                    <span class="duration">
                      for <Elapsed sinceMs={group.sinceMs} nowMs={view.nowMs} />
                    </span>
                  )}
                </h3>
                {group.lines.map((line) => (
                  <ProblemCause line={line} />
                ))}
              </li>
            ))}
          </ul>
        </>
      )}
      {moreCount > 0 && (
        <p class="muted">
          And {pluralize(moreCount, "more problem")}; <code>waggle status</code> prints them all.
        </p>
      )}
    </section>
  );
}

/** Differences that are no problems, each in a quiet line. */
export function NoteList({ notes }: { notes: readonly StatusNote[] }) {
  return (
    <section aria-label="Notes" id="notes" data-part>
      {notes.map(({ services, why }) => (
        <p class="muted">
          Note on {services.slice(0, maxTasksNamed).join(", ")}
          {services.length > maxTasksNamed && ` and ${services.length - maxTasksNamed} more`}: {why}.
        </p>
      ))}
    </section>
  );
}

function ProblemCause({ line: { who, why, next } }: { line: ProblemGroup["lines"][number] }) {
  const moreCount = who.length - maxTasksNamed;
  const names = `${who.slice(0, maxTasksNamed).join(", ")}${moreCount > 0 ? ` and ${moreCount} more` : ""}`;
  return (
    <>
      <p class="reason">
        {names !== "" && <strong>{names}: </strong>}
        {why}
      </p>
      {next !== "" && (
        <p class="next-step">
          <TextWithCode text={next} />
        </p>
      )}
    </>
  );
}

/** @param what `node node2`, `service my-web`, `server my-web/a` or `mesh waggle` */
function Subject({ what, view }: { what: string; view: DashboardView }) {
  const [kind = "", name = ""] = what.split(" ");
  const node = view.nodes.find(({ hostname }) => hostname === name);
  if (kind === "node" && node !== undefined) return <a href={nodePath(node, view.nodes)}>{what}</a>;
  if (kind === "service") return <a href={servicePath(name)}>{what}</a>;
  if (kind === "server") return <a href={servicePath(name.split("/")[0] ?? "")}>{what}</a>;
  return <span>{what}</span>;
}
