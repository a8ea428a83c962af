// What is not well, in words: what, why, and the next step.

import { count } from "../text.ts";
import { type Trouble, troublesOf } from "../troubles.ts";
import type { View } from "../view.ts";
import { For, nodePath, Sentence, servicePath } from "./words.tsx";

/** Shown at once; in a great outage the first ones say it. */
const maxShown = 12;
/** Tasks named in one line. */
const maxNamed = 3;

export function ProblemList({ view }: { view: View }) {
  const troubles = troublesOf(view.problems);
  const more = troubles.length - maxShown;
  return (
    <section aria-label="What is not well" id="problems" data-part>
      {troubles.length > 0 && (
        <>
          <h2>Wants a look</h2>
          <ul class="problems">
            {troubles.slice(0, maxShown).map((trouble) => (
              <li>
                <h3>
                  <Subject what={trouble.what} view={view} />
                  {trouble.sinceMs !== null && (
                    <span class="since">
                      for <For sinceMs={trouble.sinceMs} nowMs={view.nowMs} />
                    </span>
                  )}
                </h3>
                {trouble.lines.map((line) => (
                  <Line line={line} />
                ))}
              </li>
            ))}
          </ul>
        </>
      )}
      {more > 0 && (
        <p class="muted">
          And {count(more, "more thing")}; <code>waggle status</code> prints them all.
        </p>
      )}
    </section>
  );
}

function Line({ line: { who, why, next } }: { line: Trouble["lines"][number] }) {
  const more = who.length - maxNamed;
  const names = `${who.slice(0, maxNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return (
    <>
      <p class="why">
        {names !== "" && <strong>{names}: </strong>}
        {why}
      </p>
      {next !== "" && (
        <p class="next">
          <Sentence text={next} />
        </p>
      )}
    </>
  );
}

function Subject({ what, view }: { what: string; view: View }) {
  const [kind = "", name = ""] = what.split(" ");
  const node = view.nodes.find(({ hostname }) => hostname === name);
  if (kind === "node" && node !== undefined) return <a href={nodePath(node, view.nodes)}>{what}</a>;
  if (kind === "service") return <a href={servicePath(name)}>{what}</a>;
  if (kind === "server") return <a href={servicePath(name.split("/")[0] ?? "")}>{what}</a>;
  return <span>{what}</span>;
}
