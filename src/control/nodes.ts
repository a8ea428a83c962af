// The node routes: list, inspect, update, remove.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { readNodeSpec } from "../protocol/engine/read-node.ts";
import { writeManager, writeNode } from "../protocol/engine/write-node.ts";
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
    const nodes = await mesh.nodes(now());
    return c.json(nodes.filter((node) => matches(filters, node)).map(writeNode));
  });
  routes.get("/:ref", async (c) => {
    const found = await mesh.node(c.req.param("ref"));
    if (found.ok) return c.json(writeNode(found.value));
    const info = await mesh.info();
    if (c.req.param("ref") === info.id) return c.json(writeManager(info, hostOf(c.req.raw)));
    return c.json(writeNode(unwrap(found)));
  });
  routes.post("/:ref/update", async (c) => {
    const change = readNodeSpec(await readBody(c.req.raw));
    const version = readVersion("node", c.req.query("version"));
    unwrapForDocker(await mesh.updateNode(c.req.param("ref"), version, change, "operator"));
    return c.body(null, 200);
  });
  routes.delete("/:ref", async (c) => {
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

function matches(filters: NodeFilters, node: MeshNode): boolean {
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
