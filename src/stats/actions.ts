// What an operator may do on the page: HAProxy's form sets servers of one proxy to ready, drain or maint.

import { adminStates } from "../domain/model/server.ts";
import type { MeshApi } from "../registry/api.ts";
import { rowName, type StatsReport } from "./report.ts";

/** HAProxy's words for what came of a form, and what the page says to each. */
export const actionOutcomes = {
  DONE: "Done.",
  NONE: "Nothing has changed.",
  PART: "Only some of the servers were changed: the others are not in this proxy.",
  ERRP: "Nothing was done: the action, the proxy or the servers are not known here.",
  EXCD: "Nothing was done: the form is too long. Try fewer servers at a time.",
  DENY: "Denied: this needs the operator token.",
  UNKN: "The registry did not take it; the events say why. Try again.",
} as const;
export type ActionOutcome = keyof typeof actionOutcomes;

/** What HAProxy's form says: `s=web1&s=web2&action=drain&b=#3`. */
type ActionForm = {
  readonly servers: readonly string[];
  readonly action: string;
  /** `#` and the proxy's iid, or its name. */
  readonly proxy: string;
};

/** Does what a form asks for. @param actor who the events say it was */
export async function applyAction(
  mesh: MeshApi,
  report: StatsReport,
  form: ActionForm,
  actor: string,
): Promise<ActionOutcome> {
  if (form.servers.length === 0) return "NONE";
  const proxy = report.proxies.find(({ iid, name }) => form.proxy === `#${iid}` || form.proxy === name);
  const state = adminStates.find((known) => known === form.action);
  if (proxy === undefined || state === undefined) return "ERRP";
  const known = new Map(proxy.rows.map((row) => [rowName(row), row.admin]));
  const wanted = [...new Set(form.servers)];
  const found = wanted.flatMap((name) => known.get(name) ?? []);
  if (found.length === 0) return "ERRP";
  const changes = found.filter((admin) => admin.state !== state);
  for (const { target } of changes) {
    const answer = await mesh.setAdmin(target, state, actor);
    if (!answer.ok) return "UNKN";
  }
  if (found.length < wanted.length) return "PART";
  return changes.length > 0 ? "DONE" : "NONE";
}
