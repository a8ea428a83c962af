// The routes page: every route of the mesh, and what the mesh would do with a request, step by step.

import type { Child } from "hono/jsx";
import type { RouteExplanation } from "../../protocol/route.ts";
import type { Page } from "../paging.ts";
import { Glyph } from "../parts/glyph.tsx";
import { RouteTable } from "../parts/route-table.tsx";
import { pagePaths, servicePath } from "../paths.ts";
import type { RouteRow } from "../route-rows.ts";
import type { DashboardView } from "../view.ts";

/** The request to explain, as entered; empty fields are open. */
export type ExplainForm = { readonly url: string; readonly method: string; readonly node: string };

/** Null before a request was entered. */
export type ExplainResult = RouteExplanation | { readonly problem: string } | null;

/** Nodes or tasks listed in one step; a large mesh has more than a page can show. */
const maxRouteRows = 50;

export function Routing({
  view,
  form,
  result,
  routes,
}: {
  view: DashboardView;
  form: ExplainForm;
  result: ExplainResult;
  routes: Page<RouteRow>;
}) {
  return (
    <>
      <h1>Routes</h1>
      {result === null && <RouteTable page={routes} />}
      <section aria-labelledby="explain-title">
        <h2 id="explain-title">Explain a request</h2>
        <p class="muted">With the data plane's own functions. Nothing is sent.</p>
      </section>
      <ExplainFormFields view={view} form={form} />
      <section id="explanation" data-part aria-live="polite">
        {result === null ? null : "problem" in result ? (
          <p class="notice is-bad" role="alert">
            {result.problem}
          </p>
        ) : (
          <ExplanationSteps explanation={result} />
        )}
      </section>
      {result !== null && <RouteTable page={routes} />}
    </>
  );
}

function ExplainFormFields({
  view,
  form: { method, url, node },
}: {
  view: DashboardView;
  form: ExplainForm;
}) {
  return (
    <form class="explain-form" method="get" action={pagePaths.routing}>
      <div>
        <label for="method">Method</label>
        <input id="method" name="method" value={method} size={7} list="methods" autocomplete="off" />
        <datalist id="methods">
          {["GET", "HEAD", "POST", "PUT", "DELETE"].map((name) => (
            <option value={name} />
          ))}
        </datalist>
      </div>
      <div class="wide">
        <label for="url">URL</label>
        <input
          id="url"
          name="url"
          value={url}
          required
          placeholder="http://127.0.0.2:8080/"
          inputmode="url"
        />
      </div>
      <div>
        <label for="node">Entry node</label>
        <input
          id="node"
          name="node"
          value={node}
          placeholder="from the URL"
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
  );
}

function ExplanationSteps({ explanation }: { explanation: RouteExplanation }) {
  const { request, entry, match, nodes, tasks, response, tableVersion } = explanation;
  return (
    <ol class="steps">
      <Step title="Request">
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
      </Step>
      <Step title="Entry">
        <p>
          {entry.role === "edge" ? "The balancer" : `The entry point of ${entry.node}`}: {entry.why}.
        </p>
      </Step>
      <Step title="Service" className={match.by === "nothing" ? "is-bad" : ""}>
        <ServiceStep explanation={explanation} />
      </Step>
      {nodes.length > 0 && (
        <Step title="Node">
          <CandidateList items={nodes.map(({ name, picked, why }) => ({ name, picked, why, note: "" }))} />
        </Step>
      )}
      {tasks.length > 0 && (
        <Step title="Task">
          <CandidateList
            items={tasks.map(({ name, picked, why, node, origin }) => ({
              name,
              picked,
              why,
              note: [node, origin?.replace(/^http:\/\//, "")].filter(Boolean).join(", "),
            }))}
          />
        </Step>
      )}
      <Step title="Response" className={response.by === "mesh" ? "is-bad" : "is-ok"}>
        <p>
          {response.by === "task"
            ? `From ${response.why}.`
            : `${response.status} from the mesh itself: ${response.reason}.`}
        </p>
        <p class="muted">According to routing table version {tableVersion}.</p>
      </Step>
    </ol>
  );
}

function Step({ title, className = "", children }: { title: string; className?: string; children?: Child }) {
  return (
    <li class={className}>
      <h2>{title}</h2>
      {children}
    </li>
  );
}

function ServiceStep({ explanation: { services, match } }: { explanation: RouteExplanation }) {
  return (
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
  );
}

type CandidateRow = {
  readonly name: string;
  readonly picked: boolean;
  readonly why: string;
  readonly note: string;
};

/** The candidates of one step, picked ones first. */
function CandidateList({ items }: { items: readonly CandidateRow[] }) {
  const shown = items.toSorted((a, b) => Number(b.picked) - Number(a.picked)).slice(0, maxRouteRows);
  return (
    <>
      <ul class="candidates">
        {shown.map(({ name, picked, why, note }) => (
          <li class={picked ? "is-picked" : ""}>
            <Glyph status={picked ? "running" : "ended"} /> <strong>{name}</strong>{" "}
            {note !== "" && <span class="muted">{note}</span>} <span class="reason">{why}</span>
          </li>
        ))}
      </ul>
      {items.length > shown.length && <p class="muted">and {`${items.length - shown.length} more`}</p>}
    </>
  );
}
