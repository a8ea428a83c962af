// The table of one proxy with HAProxy's columns, and the form that sets its servers.

import { adminStates } from "../domain/model/server.ts";
import type { StatsPageInput } from "./page.tsx";
import { columnGroups, type PageColumn } from "./page-columns.ts";
import { rowName, type StatsProxy, type StatsRow } from "./report.ts";
import { statsLink } from "./uri.ts";

export function ProxyTable(input: StatsPageInput & { readonly proxy: StatsProxy }) {
  const { proxy, query, uri } = input;
  const { name, what, iid, rows } = proxy;
  const hasServers = rows.some(({ admin }) => admin !== undefined);
  // A refresh would lose what is selected and typed in the form.
  const canSelect = hasServers && !query.refresh;
  const table = <ProxyRows proxy={proxy} canSelect={canSelect} />;
  return (
    <section class="proxy" aria-labelledby={`proxy-${iid}`}>
      <h2 id={`proxy-${iid}`}>
        <a href={`#proxy-${iid}`}>{name}</a> <small>{what}</small>
      </h2>
      {canSelect ? (
        <form method="post" action={statsLink(uri, { ...query, outcome: "" })}>
          {table}
          <ServerActions {...input} />
        </form>
      ) : (
        table
      )}
      {hasServers && !canSelect && (
        <p class="change">
          <a href={`${statsLink(uri, { ...query, refresh: false, outcome: "" })}#proxy-${iid}`}>
            Change servers
          </a>
        </p>
      )}
    </section>
  );
}

function ProxyRows({ proxy, canSelect }: { readonly proxy: StatsProxy; readonly canSelect: boolean }) {
  return (
    // Focusable, so that the keyboard can scroll it.
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
            <ProxyRow row={row} canSelect={canSelect && row.kind === "server"} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ProxyRow({ row, canSelect }: { readonly row: StatsRow; readonly canSelect: boolean }) {
  const name = rowName(row);
  const label = row.kind === "server" ? name : name.charAt(0) + name.slice(1).toLowerCase();
  return (
    <tr class={`${row.kind} ${rowClass(row)}`}>
      <th scope="row" class="name" title={String(row.values.addr ?? "")}>
        {canSelect ? (
          <label>
            <input type="checkbox" name="s" value={name} /> {label}
          </label>
        ) : (
          label
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
  const { text, tooltip } = cell.contentOf(row);
  const classes = [isFirst && "first", cell.isText && "word", tooltip !== "" && "more"].filter(
    (name) => name !== false,
  );
  return (
    <td class={classes.join(" ")} {...(tooltip !== "" && { title: tooltip })}>
      {text}
    </td>
  );
}

/** The class for a row's color in the legend. Its Status column says the same in words. */
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
        Selected servers{" "}
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
