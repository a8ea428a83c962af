// GET /mesh/route: explains how the data plane would route a request.

import { exclusionReason } from "../domain/compile/exclusion.ts";
import { localControlHostPattern } from "../domain/model/control-host.ts";
import { unwrap } from "../domain/model/error.ts";
import { isAlive, taskName } from "../domain/model/task.ts";
import { readTable } from "../domain/table/text.ts";
import { type EntrySettings, resolveEntry } from "../explain/entry.ts";
import { explainRoute } from "../explain/explain.ts";
import type { ExplainedTask, RouteExplanation } from "../protocol/route.ts";
import { isHost } from "../proxy/http/host.ts";
import type { MeshApi } from "../registry/api.ts";
import { badRequest } from "./errors.ts";

/** The query parameters, not yet checked. */
type ExplainQuery = {
  readonly url: string | undefined;
  readonly method: string | undefined;
  /** Id or name of the node whose entry point gets the request. */
  readonly node: string | undefined;
  /** The Host header; absent if it is the URL's. */
  readonly host: string | undefined;
};

/**
 * How the data plane would route the request by the registry's current table, and the tasks that the table
 * leaves out.
 *
 * @throws MeshError request/invalid
 */
export async function routeExplanation(
  mesh: MeshApi,
  entrySettings: EntrySettings,
  { url, method, node, host }: ExplainQuery,
): Promise<RouteExplanation> {
  const parsed = readUrl(url);
  const hostHeader = readHost(host ?? parsed.host);
  const { text } = await mesh.table(-1);
  const table = readTable(text ?? "");
  const explanation = explainRoute(table, {
    method: readMethod(method),
    host: hostHeader,
    path: parsed.pathname + parsed.search,
    // On Cloudflare the Host header selects the entry point; on one machine the URL's address does.
    entry: resolveEntry(
      table,
      entrySettings.balancerPort === null
        ? new URL(parsed.pathname, `${parsed.protocol}//${hostHeader}`)
        : parsed,
      node ?? null,
      entrySettings,
    ),
    domain: entrySettings.domain,
  });
  return { ...explanation, tasks: [...explanation.tasks, ...(await tasksLeftOut(mesh, explanation))] };
}

/** Live tasks of the services that are not in the table. */
async function tasksLeftOut(mesh: MeshApi, { services, tasks }: RouteExplanation): Promise<ExplainedTask[]> {
  if (services.length === 0) return [];
  const inTable = new Set(tasks.map(({ id }) => id));
  const names = new Map(services.map(({ id, name }) => [id, name]));
  const [nodes, found] = await Promise.all([mesh.nodes(), mesh.tasks({ services: [...names.keys()] })]);
  const nodeById = new Map(nodes.map((node) => [node.id, node]));
  return unwrap(found).flatMap((task) => {
    const node = nodeById.get(task.nodeId ?? "");
    const why = exclusionReason(task, node);
    if (inTable.has(task.id) || !isAlive(task) || why === null) return [];
    const name = taskName(names.get(task.serviceId) ?? task.serviceId, task);
    return [{ id: task.id, name, node: node?.hostname ?? null, origin: null, picked: false, why }];
  });
}

function readUrl(text: string | undefined): URL {
  const url = URL.parse(text ?? "");
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw badRequest(`cannot read url=${text ?? ""}: write it as http://HOST:PORT/PATH`);
}

function readMethod(text = "GET"): string {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/.test(text)) return text;
  throw badRequest(`cannot read method=${text}: write it as GET`);
}

function readHost(text: string): string {
  if (localControlHostPattern.test(text))
    throw badRequest(`no service is reached at ${text}, the host name of the mesh's control API`);
  if (isHost(text)) return text;
  throw badRequest(`cannot read host=${text}: write it as HOST or HOST:PORT`);
}
