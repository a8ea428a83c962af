// GET /mesh/route: what would happen to a request, explained.

import { exclusionReason } from "../domain/compile/exclusion.ts";
import { unwrap } from "../domain/model/error.ts";
import { isAlive, taskName } from "../domain/model/task.ts";
import { readTable } from "../domain/table/text.ts";
import { type EntrySettings, resolveEntry } from "../explain/entry.ts";
import { explainRoute } from "../explain/explain.ts";
import type { ExplainedTask, RouteExplanation } from "../protocol/route.ts";
import { isHost } from "../proxy/http/host.ts";
import type { MeshApi } from "../registry/api.ts";
import { badRequest } from "./errors.ts";

/** The parameters as they came. */
export type ExplainQuery = {
  readonly url: string | undefined;
  readonly method: string | undefined;
  /** Id or name of the node at whose entry point the request comes in. */
  readonly node: string | undefined;
  /** The Host header, where it is not the URL's. */
  readonly host: string | undefined;
};

/**
 * What the data plane would do to the request by the registry's present table, and what the table leaves out.
 *
 * @throws MeshError request/invalid
 */
export async function routeExplanation(
  mesh: MeshApi,
  around: EntrySettings,
  { url, method, node, host }: ExplainQuery,
): Promise<RouteExplanation> {
  const read = readUrl(url);
  const asked = readHost(host ?? read.host);
  const { text } = await mesh.table(-1);
  const table = readTable(text ?? "");
  const explanation = explainRoute(table, {
    method: readMethod(method),
    host: asked,
    path: read.pathname + read.search,
    // On Cloudflare the Host header says where a request comes in; on one machine the address it is sent to does.
    entry: resolveEntry(
      table,
      around.balancerPort === null ? new URL(read.pathname, `${read.protocol}//${asked}`) : read,
      node ?? null,
      around,
    ),
    domain: around.domain,
  });
  return { ...explanation, tasks: [...explanation.tasks, ...(await tasksLeftOut(mesh, explanation))] };
}

/** Tasks of the services that are not in the table, though they live. */
async function tasksLeftOut(mesh: MeshApi, { services, tasks }: RouteExplanation): Promise<ExplainedTask[]> {
  if (services.length === 0) return [];
  const inTable = new Set(tasks.map(({ id }) => id));
  const names = new Map(services.map(({ id, name }) => [id, name]));
  const [nodes, found] = await Promise.all([mesh.nodes(), mesh.tasks({ services: [...names.keys()] })]);
  const nodeById = new Map(nodes.map((one) => [one.id, one]));
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
  if (isHost(text)) return text;
  throw badRequest(`cannot read host=${text}: write it as HOST or HOST:PORT`);
}
