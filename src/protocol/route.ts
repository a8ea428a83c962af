// An explained route: the response of GET /mesh/route, which `waggle trace --explain` and the dashboard show.

import { z } from "zod";

/** The entry point of the request. */
export const ExplainedEntry = z.object({
  /** `edge`: the external load balancer; `ingress`: the entry point of one node. */
  role: z.enum(["edge", "ingress"]),
  /** Name of the node, or the requested name if the mesh has no such node; null at the edge. */
  node: z.string().nullable(),
  why: z.string(),
});
export type ExplainedEntry = z.infer<typeof ExplainedEntry>;

/** What selected the service; `nothing` if no service matches. */
export const ExplainedMatch = z.object({
  by: z.enum(["port", "host", "name", "default", "nothing"]),
  why: z.string(),
  /** The path rule that matched, and the service it takes the request from; null if from none. */
  path: z.object({ rule: z.string(), from: z.string().nullable() }).optional(),
});
export type ExplainedMatch = z.infer<typeof ExplainedMatch>;

const ExplainedService = z.object({
  id: z.string(),
  name: z.string(),
  policy: z.string(),
  target: z.number().int(),
  mode: z.enum(["ingress", "host"]),
  /** Its options besides the policy, one sentence each: a sticky cookie, limits, a canary. */
  options: z.array(z.string()).default([]),
});

export const ExplainedNode = z.object({
  id: z.string(),
  name: z.string(),
  up: z.boolean(),
  /** True if the edge may pick its entry point. */
  picked: z.boolean(),
  why: z.string(),
});
export type ExplainedNode = z.infer<typeof ExplainedNode>;

export const ExplainedTask = z.object({
  id: z.string(),
  /** `my-web.1`. */
  name: z.string(),
  /** Name of its node; null until it is placed. */
  node: z.string().nullable(),
  /** The origin for this request; null if it has none. */
  origin: z.string().nullable(),
  /** True if the request may be sent to it. */
  picked: z.boolean(),
  why: z.string(),
});
export type ExplainedTask = z.infer<typeof ExplainedTask>;

/** The source of the response: one of the picked tasks, or the mesh itself, with a status and its reason. */
export const ExplainedResponse = z.discriminatedUnion("by", [
  z.object({ by: z.literal("task"), why: z.string() }),
  z.object({ by: z.literal("mesh"), status: z.number().int(), reason: z.string() }),
]);
export type ExplainedResponse = z.infer<typeof ExplainedResponse>;

export const RouteExplanation = z.object({
  request: z.object({
    method: z.string(),
    host: z.string(),
    /** The requested published port; null where the port has no meaning. */
    port: z.number().int().nullable(),
    path: z.string(),
  }),
  tableVersion: z.number().int().nonnegative(),
  entry: ExplainedEntry,
  match: ExplainedMatch,
  /** Usually one; several if services share a port in host mode; empty if none matches. */
  services: z.array(ExplainedService),
  /** All nodes at the edge, one node at its own entry point. */
  nodes: z.array(ExplainedNode),
  tasks: z.array(ExplainedTask),
  /** Number of tasks that it may be sent to, and when. */
  sending: z.string(),
  response: ExplainedResponse,
});
export type RouteExplanation = z.infer<typeof RouteExplanation>;
