// What is not well, in words: what, why, and the next step.

import { nodePath, servicePath } from "../paths.ts";
import { groupProblems, type ProblemGroup } from "../problem-groups.ts";
import { pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { Elapsed, TextWithCode } from "./inline-text.tsx";

/** Shown at once; in a great outage the first ones say it. */
const maxProblemsShown = 12;
/** Tasks named in one line. */
const maxTasksNamed = 3;

export function ProblemList({ view }: { view: DashboardView }) {
  const troubles = groupProblems(view.problems);
  const more = troubles.length - maxProblemsShown;
  return (
    <section aria-label="What is not well" id="problems" data-part>
      {troubles.length > 0 && (
        <>
          <h2>Wants a look</h2>
          <ul class="problems">
            {troubles.slice(0, maxProblemsShown).map((trouble) => (
              <li>
                <h3>
                  <Subject what={trouble.what} view={view} />
                  {trouble.sinceMs !== null && (
                    <span class="since">
                      for <Elapsed sinceMs={trouble.sinceMs} nowMs={view.nowMs} />
                    </span>
                  )}
                </h3>
                {trouble.lines.map((line) => (
                  <ProblemCause line={line} />
                ))}
              </li>
            ))}
          </ul>
        </>
      )}
      {more > 0 && (
        <p class="muted">
          And {pluralize(more, "more thing")}; <code>waggle status</code> prints them all.
        </p>
      )}
    </section>
  );
}

function ProblemCause({ line: { who, why, next } }: { line: ProblemGroup["lines"][number] }) {
  const more = who.length - maxTasksNamed;
  const names = `${who.slice(0, maxTasksNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return (
    <>
      <p class="why">
        {names !== "" && <strong>{names}: </strong>}
        {why}
      </p>
      {next !== "" && (
        <p class="next">
          <TextWithCode text={next} />
        </p>
      )}
    </>
  );
}

function Subject({ what, view }: { what: string; view: DashboardView }) {
  const [kind = "", name = ""] = what.split(" ");
  const node = view.nodes.find(({ hostname }) => hostname === name);
  if (kind === "node" && node !== undefined) return <a href={nodePath(node, view.nodes)}>{what}</a>;
  if (kind === "service") return <a href={servicePath(name)}>{what}</a>;
  if (kind === "server") return <a href={servicePath(name.split("/")[0] ?? "")}>{what}</a>;
  return <span>{what}</span>;
}
