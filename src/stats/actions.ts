// What an operator may do on the page: HAProxy's form sets servers of one proxy to ready, drain or maint.

import { MeshError, unwrap } from "../domain/error.ts";
import type { Availability } from "../domain/node.ts";
import type { MeshApi } from "../registry/api.ts";
import { nodesProxyId } from "./proxy-id.ts";
import { rowName, type ServerAction, type StatsProxy, type StatsReport } from "./report.ts";

/** HAProxy's words for what came of a form, and what the page says to each. */
export const outcomes = {
  DONE: "Done.",
  NONE: "Nothing has changed.",
  PART: "Only some of the servers were changed: the others are not in this proxy.",
  ERRP: "Nothing was done: the action, the proxy or the servers are not known here.",
  EXCD: "Nothing was done: the form is too long. Try fewer servers at a time.",
  DENY: "Denied: this needs the operator token.",
  UNKN: "The registry did not take it; the events say why. Try again.",
} as const;
export type Outcome = keyof typeof outcomes;

/** What HAProxy's form says: `s=web1&s=web2&action=drain&b=#3`. */
export type ActionForm = {
  readonly servers: readonly string[];
  readonly action: string;
  /** `#` and the proxy's iid, or its name. */
  readonly proxy: string;
};

/** Does what a form asks for. @param actor who the events say it was */
export async function act(
  mesh: MeshApi,
  report: StatsReport,
  form: ActionForm,
  actor: string,
): Promise<Outcome> {
  if (form.servers.length === 0) return "NONE";
  const proxy = report.proxies.find(({ iid, name }) => form.proxy === `#${iid}` || form.proxy === name);
  const action = proxy?.actions.find((known) => known === form.action);
  if (proxy === undefined || action === undefined) return "ERRP";
  const known = serverNames(proxy);
  const wanted = [...new Set(form.servers)];
  const found = wanted.filter((name) => known.has(name));
  if (found.length === 0) return "ERRP";
  try {
    let changed = 0;
    for (const name of found) if (await setServer(mesh, proxy, name, action, actor)) changed += 1;
    if (found.length < wanted.length) return "PART";
    return changed > 0 ? "DONE" : "NONE";
  } catch (error) {
    if (error instanceof MeshError) return "UNKN";
    throw error;
  }
}

function serverNames({ rows }: StatsProxy): ReadonlySet<string> {
  return new Set(rows.filter(({ kind }) => kind === "server").map(rowName));
}

/** Sets one server; false when it is so already. */
function setServer(
  mesh: MeshApi,
  proxy: StatsProxy,
  name: string,
  action: ServerAction,
  actor: string,
): Promise<boolean> {
  return proxy.iid === nodesProxyId ? setNode(mesh, name, action, actor) : Promise.resolve(false);
}

const availabilities: Readonly<Record<ServerAction, Availability>> = {
  ready: "active",
  drain: "drain",
  maint: "drain",
};

async function setNode(mesh: MeshApi, name: string, action: ServerAction, actor: string): Promise<boolean> {
  const node = unwrap(await mesh.node(name));
  const availability = availabilities[action];
  if (node.availability === availability) return false;
  const { id, version, role, labels } = node;
  unwrap(await mesh.updateNode(id, version, { availability, role, labels }, actor));
  return true;
}
