// The node routes: list, inspect, update, remove.

import { Hono } from "hono";
import { MeshError, unwrap } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { readNodeSpec } from "../protocol/engine/read-node.ts";
import { writeManager, writeNode } from "../protocol/engine/write-node.ts";
import type { MeshApi, MeshInfo } from "../registry/api.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, unwrapForDocker } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";
import { readFlag, readVersion } from "./query.ts";
import { hostOf } from "./system.ts";

const nodeFilterKeys = ["id", "label", "membership", "name", "node.label", "role"] as const;
type NodeFilters = Filters<(typeof nodeFilterKeys)[number]>;

export function nodeRoutes({ mesh, now }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), nodeFilterKeys);
    checkValues(filters, "role", ["worker", "manager"]);
    checkValues(filters, "membership", ["pending", "accepted"]);
    const [info, nodes] = await Promise.all([mesh.info(), mesh.nodes(now())]);
    const withGateway = readFlag(c.req.query("gateway"));
    const leaders = matches(filters, leaderOf(info)) ? [writeManager(info, hostOf(c.req.raw))] : [];
    const machines = nodes.filter((node) => matches(filters, node));
    return c.json([...leaders, ...machines.map((node) => writeNode(node, withGateway))]);
  });
  routes.get("/:ref", async (c) => {
    const found = await mesh.node(c.req.param("ref"));
    if (found.ok) return c.json(writeNode(found.value, readFlag(c.req.query("gateway"))));
    const info = await mesh.info();
    if (isLeader(info, c.req.param("ref"))) return c.json(writeManager(info, hostOf(c.req.raw)));
    return c.json(writeNode(unwrap(found)));
  });
  routes.post("/:ref/update", async (c) => {
    const change = readNodeSpec(await readBody(c.req.raw));
    const version = readVersion("node", c.req.query("version"));
    await requireMachine(mesh, c.req.param("ref"));
    unwrapForDocker(await mesh.updateNode(c.req.param("ref"), version, change, "operator"));
    return c.body(null, 200);
  });
  routes.delete("/:ref", async (c) => {
    await requireMachine(mesh, c.req.param("ref"));
    unwrapForDocker(await mesh.removeNode(c.req.param("ref"), readFlag(c.req.query("force")), "operator"));
    return c.body(null, 200);
  });
  return routes;
}

/** @throws MeshError request/invalid, in dockerd's words, if the filter has a value other than these */
function checkValues(filters: NodeFilters, key: "role" | "membership", known: readonly string[]): void {
  const wrong = filters.get(key)?.find((value) => !known.includes(value.toLowerCase()));
  if (wrong !== undefined) throw badRequest(`Invalid ${key} filter: '${wrong}'`);
}

/** The leader as filters see it. */
function leaderOf({ id, name }: MeshInfo): FilteredNode {
  return { id, hostname: name, role: "manager", labels: {} };
}

/** True if a ref means the mesh itself; a machine of that name comes first. */
function isLeader({ id, name }: MeshInfo, ref: string): boolean {
  return ref === id || ref === name;
}

/** @throws MeshError node/invalid if the ref means the mesh itself, which has no settings of a node */
async function requireMachine(mesh: MeshApi, ref: string): Promise<void> {
  if ((await mesh.node(ref)).ok || !isLeader(await mesh.info(), ref)) return;
  throw new MeshError(
    "node/invalid",
    `${ref} is the leader, which is the mesh itself and no machine: it cannot be changed or removed; name a node`,
    { blame: "operator", retry: "never" },
  );
}

type FilteredNode = Pick<MeshNode, "id" | "hostname" | "role" | "labels">;

function matches(filters: NodeFilters, node: FilteredNode): boolean {
  return (
    matchesFilter(filters, "id", (value) => node.id.startsWith(value)) &&
    matchesFilter(filters, "name", (value) => node.hostname.startsWith(value)) &&
    matchesFilter(filters, "role", (value) => node.role === value.toLowerCase()) &&
    // A joined node is a member at once.
    matchesFilter(filters, "membership", (value) => value.toLowerCase() === "accepted") &&
    matchesFilter(filters, "node.label", labelTest(node.labels)) &&
    // Filters engine labels, which agents do not have.
    matchesFilter(filters, "label", labelTest({}))
  );
}
