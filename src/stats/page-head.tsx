// The head of the page: what mesh this is, what the colours mean, what else can be shown, and what an action came to.

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
        {facts.map(([what, value]) => (
          <div>
            <dt>{what}</dt>
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
        {legendEntries.map(([name, meaning]) => (
          <li>
            <span class={`swatch ${name}`} /> {meaning}
          </li>
        ))}
      </ul>
      <p class="note">DRAIN and NOLB: up, with no new requests in its turn.</p>
    </section>
  );
}

/** Scope, what to hide, refreshing, and the other forms of the same. */
export function DisplayOptions({ asked, uri }: { readonly asked: StatsQuery; readonly uri: string }) {
  const link = (change: Partial<StatsQuery>) => statsLink(uri, { ...asked, outcome: "", ...change });
  const export_ = (format: StatsQuery["format"]) => link({ format, refresh: false, up: false });
  return (
    <section aria-labelledby="display">
      <h2 id="display">Display option</h2>
      <form method="get" action={uri.split("?")[0]} class="scope">
        {/* A form sets the whole query: what stands in the address has to be sent again. */}
        {uri.includes("?") && <input type="hidden" name={uri.split("?")[1]} value="" />}
        {asked.up && <input type="hidden" name="up" value="" />}
        {!asked.refresh && <input type="hidden" name="norefresh" value="" />}
        <label>
          Scope <input name="scope" size={12} maxlength={64} value={asked.scope} />
        </label>
      </form>
      <ul class="links">
        <li>
          <a href={link({ up: !asked.up })}>{asked.up ? "Show all servers" : "Hide ‘DOWN’ servers"}</a>
        </li>
        <li>
          <a href={link({ refresh: !asked.refresh })}>
            {asked.refresh ? "Disable refresh" : "Enable refresh"}
          </a>
        </li>
        <li>
          <a href={link({})}>Refresh now</a>
        </li>
        <li>
          <a href={export_("csv")}>CSV export</a>
        </li>
        <li>
          <a href={export_("json")}>JSON export</a> (
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
