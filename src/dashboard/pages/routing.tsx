// Routing: what would happen to a request, step by step.

import type { RouteExplanation } from "../../protocol/route.ts";
import { Glyph } from "../parts/glyph.tsx";
import { pagePaths, servicePath } from "../paths.ts";
import type { DashboardView } from "../view.ts";

export type ExplainForm = { readonly url: string; readonly method: string; readonly node: string };

/** Rows of a step shown; a large mesh has too many to read. */
const maxRouteRows = 50;

type ExplainResult = RouteExplanation | { readonly problem: string } | null;

export function Routing({
  view,
  question,
  outcome,
}: {
  view: DashboardView;
  question: ExplainForm;
  outcome: ExplainResult;
}) {
  return (
    <>
      <h1>Routing</h1>
      <p class="muted">What would happen to a request, by the functions that make it happen.</p>
      <form class="question" method="get" action={pagePaths.routing}>
        <div>
          <label for="method">Method</label>
          <input
            id="method"
            name="method"
            value={question.method}
            size={7}
            list="methods"
            autocomplete="off"
          />
          <datalist id="methods">
            {["GET", "HEAD", "POST", "PUT", "DELETE"].map((method) => (
              <option value={method} />
            ))}
          </datalist>
        </div>
        <div class="wide">
          <label for="url">URL</label>
          <input
            id="url"
            name="url"
            value={question.url}
            required
            placeholder="http://127.0.0.2:8080/"
            inputmode="url"
          />
        </div>
        <div>
          <label for="node">At the entry point of</label>
          <input
            id="node"
            name="node"
            value={question.node}
            placeholder="as the URL says"
            list="nodes"
            autocomplete="off"
          />
          <datalist id="nodes">
            {view.nodes.slice(0, maxRouteRows).map(({ hostname }) => (
              <option value={hostname} />
            ))}
          </datalist>
        </div>
        <button class="primary" type="submit">
          Explain
        </button>
      </form>
      <section id="explanation" data-part aria-live="polite">
        {outcome === null ? (
          <ExampleLinks view={view} />
        ) : "problem" in outcome ? (
          <p class="notice is-bad" role="alert">
            {outcome.problem}
          </p>
        ) : (
          <ExplanationSteps route={outcome} />
        )}
      </section>
    </>
  );
}

/** A published port of each service, at the first node. */
function ExampleLinks({ view }: { view: DashboardView }) {
  const [node] = view.nodes;
  const urls = view.services.flatMap(({ ports }) =>
    ports.slice(0, 1).map(({ published }) => `http://${node?.address ?? "127.0.0.2"}:${published}/`),
  );
  if (urls.length === 0) return null;
  return (
    <p class="muted">
      For example{" "}
      {urls.slice(0, 4).map((url, index) => (
        <>
          {index > 0 && ", "}
          <a href={`${pagePaths.routing}?${new URLSearchParams({ method: "GET", url })}`}>{url}</a>
        </>
      ))}
    </p>
  );
}

function ExplanationSteps({ route }: { route: RouteExplanation }) {
  const { request, entry, match, services, nodes, tasks, answer, tableVersion } = route;
  return (
    <ol class="steps">
      <li>
        <h2>The request</h2>
        <p>
          <code>
            {request.method} {request.path}
          </code>{" "}
          for <code>{request.host}</code>
          {request.port !== null && (
            <>
              {" "}
              on published port <code>{String(request.port)}</code>
            </>
          )}
        </p>
      </li>
      <li>
        <h2>Where it comes in</h2>
        <p>
          {entry.role === "edge" ? "At the balancer" : `At the entry point of ${entry.node}`}: {entry.why}.
        </p>
      </li>
      <li class={match.by === "nothing" ? "is-bad" : ""}>
        <h2>Which service</h2>
        <p>
          {services.map(({ name, policy, target }) => (
            <>
              <a href={servicePath(name)}>{name}</a>, target port {target}, {policy}:{" "}
            </>
          ))}
          {match.why}.
          {services
            .flatMap(({ options }) => options)
            .map((option) => (
              <>
                <br />
                {option}.
              </>
            ))}
        </p>
      </li>
      {nodes.length > 0 && (
        <li>
          <h2>Which node</h2>
          <CandidateList items={nodes.map(({ name, picked, why }) => ({ name, picked, why, note: "" }))} />
        </li>
      )}
      {tasks.length > 0 && (
        <li>
          <h2>Which task</h2>
          <CandidateList
            items={tasks.map(({ name, picked, why, node, origin }) => ({
              name,
              picked,
              why,
              note: [node, origin?.replace(/^http:\/\//, "")].filter(Boolean).join(", "),
            }))}
          />
        </li>
      )}
      <li class={answer.by === "mesh" ? "is-bad" : "is-ok"}>
        <h2>The answer</h2>
        <p>
          {answer.by === "task"
            ? `From ${answer.why}.`
            : `${answer.status} from the mesh itself: ${answer.reason}.`}
        </p>
        <p class="muted">By routing table {tableVersion}.</p>
      </li>
    </ol>
  );
}

type CandidateRow = {
  readonly name: string;
  readonly picked: boolean;
  readonly why: string;
  readonly note: string;
};

function CandidateList({ items }: { items: readonly CandidateRow[] }) {
  const shown = [...items].sort((a, b) => Number(b.picked) - Number(a.picked)).slice(0, maxRouteRows);
  return (
    <>
      <ul class="choices">
        {shown.map(({ name, picked, why, note }) => (
          <li class={picked ? "is-picked" : ""}>
            <Glyph look={picked ? "running" : "ended"} /> <strong>{name}</strong>{" "}
            {note !== "" && <span class="muted">{note}</span>} <span class="why">{why}</span>
          </li>
        ))}
      </ul>
      {items.length > shown.length && <p class="muted">and {`${items.length - shown.length} more`}</p>}
    </>
  );
}
