// The network routes: list, inspect, create, remove, prune.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import { type Network, networksOf } from "../domain/model/network.ts";
import { readNetwork, writeNetwork } from "../protocol/engine/network-schema.ts";
import type { MeshApi } from "../registry/api.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, httpError, unwrapForDocker } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";

const networkFilterKeys = ["dangling", "driver", "id", "label", "name", "scope", "type"] as const;
type NetworkFilters = Filters<(typeof networkFilterKeys)[number]>;

export function networkRoutes({ mesh }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), networkFilterKeys);
    checkValues(filters);
    const used = filters.has("dangling") ? await usedNetworks(mesh) : new Set<string>();
    const networks = (await mesh.networks()).filter((network) => matches(filters, network, used));
    return c.json(networks.map(writeNetwork));
  });
  routes.post("/create", async (c) => {
    const { spec, warning } = readNetwork(await readBody(c.req.raw));
    // dockerd finds a name that is taken before it asks SwarmKit.
    const { id } = unwrap(await mesh.createNetwork(spec, "operator"));
    return c.json({ Id: id, Warning: warning }, 201);
  });
  routes.post("/prune", async (c) => {
    const filters = readFilters(c.req.query("filters"), ["label", "label!"]);
    const used = await usedNetworks(mesh);
    const unused = (await mesh.networks()).filter(
      (network) =>
        isDangling(network, used) &&
        matchesFilter(filters, "label", labelTest(network.labels)) &&
        !(filters.get("label!")?.some(labelTest(network.labels)) ?? false),
    );
    const removed: string[] = [];
    for (const { id, name } of unused) {
      // A service may have been put on it meanwhile.
      if ((await mesh.removeNetwork(id, "operator")).ok) removed.push(name);
    }
    return c.json({ NetworksDeleted: removed });
  });
  routes.get("/:ref", async (c) => {
    const network = unwrap(await mesh.network(c.req.param("ref")));
    const scope = c.req.query("scope") ?? "";
    if (scope !== "" && scope !== "swarm") throw notInScope(c.req.param("ref"), scope);
    return c.json(writeNetwork(network));
  });
  routes.delete("/:ref", async (c) => {
    unwrapForDocker(await mesh.removeNetwork(c.req.param("ref"), "operator"));
    return c.body(null, 204);
  });
  for (const action of ["connect", "disconnect"]) {
    routes.post(`/:ref/${action}`, async (c) => {
      unwrap(await mesh.network(c.req.param("ref")));
      throw httpError(
        501,
        "tasks are on the networks of their service: use docker service update --network-add or --network-rm",
      );
    });
  }
  return routes;
}

async function usedNetworks(mesh: MeshApi): Promise<ReadonlySet<string>> {
  const networks = new Map((await mesh.networks()).map((network) => [network.id, network]));
  const services = await mesh.services();
  return new Set(services.flatMap((service) => networksOf(service, networks).map(({ id }) => id)));
}

/** True for a network that no service is on; `ingress` always counts as used. */
function isDangling({ id, ingress }: Network, used: ReadonlySet<string>): boolean {
  return !ingress && !used.has(id);
}

function checkValues(filters: NetworkFilters): void {
  const known = {
    type: ["builtin", "custom"],
    scope: ["swarm", "local", "global"],
    dangling: ["true", "false", "1", "0"],
  };
  for (const [key, values] of Object.entries(known) as [keyof typeof known, string[]][]) {
    const bad = filters.get(key)?.find((value) => !values.includes(value));
    if (bad !== undefined) throw badRequest(`Invalid filter '${key}=${bad}'`);
  }
}

/** As in dockerd, names and ids match by any part. */
function matches(filters: NetworkFilters, network: Network, used: ReadonlySet<string>): boolean {
  const { id, name, labels, ingress } = network;
  return (
    matchesFilter(filters, "id", (value) => id.includes(value)) &&
    matchesFilter(filters, "name", (value) => name.includes(value)) &&
    matchesFilter(filters, "label", labelTest(labels)) &&
    matchesFilter(filters, "driver", (value) => value === "overlay") &&
    matchesFilter(filters, "scope", (value) => value === "swarm") &&
    matchesFilter(filters, "type", (value) => (value === "builtin") === ingress) &&
    matchesFilter(
      filters,
      "dangling",
      (value) => (value === "true" || value === "1") === isDangling(network, used),
    )
  );
}

function notInScope(ref: string, scope: string): Error {
  return badRequest(`network ${ref} not found in scope ${scope}: networks of a mesh have the scope swarm`);
}
