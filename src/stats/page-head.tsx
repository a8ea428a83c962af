// The head of the page: the mesh, the legend of colors, the display options, and the outcome of an action.

import { actionOutcomes } from "./actions.ts";
import type { StatsReport } from "./report.ts";
import { humanTime } from "./time.ts";
import { type StatsQuery, statsLink } from "./uri.ts";

export function StatsHead({ mesh }: { readonly mesh: StatsReport["mesh"] }) {
  const { name, tableVersion, uptimeS, nodes, tasks } = mesh;
  const facts = [
    ["mesh", name],
    ["uptime", humanTime(uptimeS)],
    ["routing table", `version ${tableVersion}`],
    ["nodes", `${nodes.ready} of ${nodes.total} ready`],
    ["tasks", `${tasks.running} of ${tasks.desired} running`],
  ];
  return (
    <section aria-labelledby="general">
      <h2 id="general">General information</h2>
      <dl>
        {facts.map(([label, value]) => (
          <div>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const legendEntries = [
  ["active-up", "active UP"],
  ["backup-up", "backup UP"],
  ["going-down", "UP, going down"],
  ["going-up", "DOWN, going up"],
  ["down", "DOWN"],
  ["no-check", "not checked"],
  ["maint", "DOWN for maintenance (MAINT)"],
  ["drain", "SOFT STOPPED (DRAIN, NOLB)"],
] as const;

export function StatsLegend() {
  return (
    <section aria-labelledby="legend">
      <h2 id="legend">Legend</h2>
      <ul class="legend">
        {legendEntries.map(([name, label]) => (
          <li>
            <span class={`swatch ${name}`} /> {label}
          </li>
        ))}
      </ul>
      <p class="note">DRAIN and NOLB: UP, with load balancing disabled.</p>
    </section>
  );
}

/** Scope, hiding of servers that are down, refresh, and exports. */
export function DisplayOptions({ query, uri }: { readonly query: StatsQuery; readonly uri: string }) {
  const link = (change: Partial<StatsQuery>) => statsLink(uri, { ...query, outcome: "", ...change });
  const exportLink = (format: StatsQuery["format"]) => link({ format, refresh: false, up: false });
  return (
    <section aria-labelledby="display">
      <h2 id="display">Display option</h2>
      <form method="get" action={uri.split("?")[0]} class="scope">
        {/* A form replaces the whole query, so it repeats the fields of the address. */}
        {uri.includes("?") && <input type="hidden" name={uri.split("?")[1]} value="" />}
        {query.up && <input type="hidden" name="up" value="" />}
        {!query.refresh && <input type="hidden" name="norefresh" value="" />}
        <label>
          Scope <input name="scope" size={12} maxlength={64} value={query.scope} />
        </label>
      </form>
      <ul class="links">
        <li>
          <a href={link({ up: !query.up })}>{query.up ? "Show all servers" : "Hide ‘DOWN’ servers"}</a>
        </li>
        <li>
          <a href={link({ refresh: !query.refresh })}>
            {query.refresh ? "Disable refresh" : "Enable refresh"}
          </a>
        </li>
        <li>
          <a href={link({})}>Refresh now</a>
        </li>
        <li>
          <a href={exportLink("csv")}>CSV export</a>
        </li>
        <li>
          <a href={exportLink("json")}>JSON export</a> (
          <a href={link({ format: "json-schema", refresh: true, up: false, scope: "" })}>schema</a>)
        </li>
      </ul>
    </section>
  );
}

export function OutcomeMessage({ name }: { readonly name: string }) {
  if (name === "") return null;
  const text =
    name in actionOutcomes ? actionOutcomes[name as keyof typeof actionOutcomes] : "Unexpected result.";
  return (
    <p role="status" class={name === "DONE" || name === "NONE" ? "outcome" : "outcome failed"}>
      <strong>{name}</strong> {text}
    </p>
  );
}
