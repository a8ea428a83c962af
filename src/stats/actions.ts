// The actions of the page: HAProxy's form sets servers of one proxy to ready, drain or maint.

import { adminStates } from "../domain/model/server.ts";
import type { MeshApi } from "../registry/api.ts";
import { rowName, type StatsReport } from "./report.ts";

/** HAProxy's codes for the outcome of a form, with the page's message for each. */
export const actionOutcomes = {
  DONE: "Done.",
  NONE: "Nothing has changed.",
  PART: "Only some of the servers were changed: the others are not in this proxy.",
  ERRP: "Nothing was done: unknown action, proxy or servers.",
  EXCD: "Nothing was done: the form is too long. Select fewer servers at a time.",
  DENY: "Denied: this needs the operator token.",
  UNKN: "The registry refused a change; the events say why. Try again.",
} as const;
export type ActionOutcome = keyof typeof actionOutcomes;

/** The fields of HAProxy's form: `s=web1&s=web2&action=drain&b=#3`. */
type ActionForm = {
  readonly servers: readonly string[];
  readonly action: string;
  /** `#` and the proxy's iid, or its name. */
  readonly proxy: string;
};

/** Applies a form. @param actor the actor in the mesh's events */
export async function applyAction(
  mesh: MeshApi,
  report: StatsReport,
  form: ActionForm,
  actor: string,
): Promise<ActionOutcome> {
  if (form.servers.length === 0) return "NONE";
  const proxy = report.proxies.find(({ iid, name }) => form.proxy === `#${iid}` || form.proxy === name);
  const state = adminStates.find((candidate) => candidate === form.action);
  if (proxy === undefined || state === undefined) return "ERRP";
  const adminByName = new Map(proxy.rows.map((row) => [rowName(row), row.admin]));
  const names = [...new Set(form.servers)];
  const found = names.flatMap((name) => adminByName.get(name) ?? []);
  if (found.length === 0) return "ERRP";
  const changes = found.filter((admin) => admin.state !== state);
  for (const { target } of changes) {
    const result = await mesh.setAdmin(target, state, actor);
    if (!result.ok) return "UNKN";
  }
  if (found.length < names.length) return "PART";
  return changes.length > 0 ? "DONE" : "NONE";
}
