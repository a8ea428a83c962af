// The table of one proxy: HAProxy's groups and columns, a row for the frontend, each server and the backend, and the
// form that sets servers.

import { adminStates } from "../domain/model/server.ts";
import type { StatsPageInput } from "./page.tsx";
import { columnGroups, type PageColumn } from "./page-columns.ts";
import { rowName, type StatsProxy, type StatsRow } from "./report.ts";
import { statsLink } from "./uri.ts";

export function ProxyTable(input: StatsPageInput & { readonly proxy: StatsProxy }) {
  const { proxy, query, uri } = input;
  const { name, what, iid, rows } = proxy;
  const hasServers = rows.some(({ admin }) => admin !== undefined);
  // A page that refreshes itself would forget what is being ticked and typed.
  const mayTick = hasServers && !query.refresh;
  const table = <ProxyRows proxy={proxy} mayTick={mayTick} />;
  return (
    <section class="proxy" aria-labelledby={`proxy-${iid}`}>
      <h2 id={`proxy-${iid}`}>
        <a href={`#proxy-${iid}`}>{name}</a> <small>{what}</small>
      </h2>
      {mayTick ? (
        <form method="post" action={statsLink(uri, { ...query, outcome: "" })}>
          {table}
          <ServerActions {...input} />
        </form>
      ) : (
        table
      )}
      {hasServers && !mayTick && (
        <p class="change">
          <a href={`${statsLink(uri, { ...query, refresh: false, outcome: "" })}#proxy-${iid}`}>
            Change servers
          </a>
        </p>
      )}
    </section>
  );
}

function ProxyRows({ proxy, mayTick }: { readonly proxy: StatsProxy; readonly mayTick: boolean }) {
  return (
    // It scrolls sideways, also by the keyboard.
    <div class="scroll" tabindex={0}>
      <table aria-labelledby={`proxy-${proxy.iid}`}>
        <thead>
          <tr>
            <th rowspan={2} scope="col" class="name">
              Name
            </th>
            {columnGroups.map(({ title, columns }) => (
              <th scope="colgroup" colspan={columns.length} class="first">
                {title}
              </th>
            ))}
          </tr>
          <tr>
            {columnGroups.flatMap(({ columns }) =>
              columns.map(({ title, description }, index) => (
                <th scope="col" class={index === 0 ? "first" : ""} title={description}>
                  {title}
                </th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {proxy.rows.map((row) => (
            <ProxyRow row={row} mayTick={mayTick && row.kind === "server"} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ProxyRow({ row, mayTick }: { readonly row: StatsRow; readonly mayTick: boolean }) {
  const name = rowName(row);
  const shown = row.kind === "server" ? name : name.charAt(0) + name.slice(1).toLowerCase();
  return (
    <tr class={`${row.kind} ${rowClass(row)}`}>
      <th scope="row" class="name" title={String(row.values.addr ?? "")}>
        {mayTick ? (
          <label>
            <input type="checkbox" name="s" value={name} /> {shown}
          </label>
        ) : (
          shown
        )}
      </th>
      {columnGroups.flatMap(({ columns }) =>
        columns.map((cell, index) => <ProxyField cell={cell} row={row} isFirst={index === 0} />),
      )}
    </tr>
  );
}

function ProxyField({
  cell,
  row,
  isFirst,
}: {
  readonly cell: PageColumn;
  readonly row: StatsRow;
  readonly isFirst: boolean;
}) {
  const { text, more } = cell.contentOf(row);
  const classes = [isFirst && "first", cell.isText && "word", more !== "" && "more"].filter(
    (name) => name !== false,
  );
  return (
    <td class={classes.join(" ")} {...(more !== "" && { title: more })}>
      {text}
    </td>
  );
}

/** The colour of a row, as the legend has it. The words in its Status column say the same. */
function rowClass({ kind, values }: StatsRow): string {
  const status = String(values.status);
  if (kind === "frontend") return "";
  if (status.startsWith("MAINT")) return "maint";
  if (status.startsWith("DRAIN") || status.startsWith("NOLB")) return "drain";
  if (status === "no check") return "no-check";
  if (status.startsWith("DOWN ")) return "going-up";
  if (status.startsWith("DOWN")) return "down";
  if (status.startsWith("UP ")) return "going-down";
  return kind === "server" && values.bck === 1 ? "backup-up" : "active-up";
}

const actionTitles = {
  ready: "Set state to READY",
  drain: "Set state to DRAIN",
  maint: "Set state to MAINT",
} as const;

function ServerActions({ proxy, requiresToken }: StatsPageInput & { readonly proxy: StatsProxy }) {
  return (
    <div class="actions">
      <input type="hidden" name="b" value={`#${proxy.iid}`} />
      <label>
        Ticked servers{" "}
        <select name="action" required>
          <option value="">choose an action</option>
          {adminStates.map((action) => (
            <option value={action}>{actionTitles[action]}</option>
          ))}
        </select>
      </label>{" "}
      {requiresToken && (
        <label>
          Operator token <input type="password" name="token" autocomplete="off" required size={16} />
        </label>
      )}{" "}
      <button type="submit">Apply</button>
    </div>
  );
}
