// A route explained: what GET /mesh/route answers, and `waggle trace --explain` and the dashboard show.

import { z } from "zod";

/** Where the request comes in. */
export const ExplainedEntry = z.object({
  /** `edge`: the balancer; `ingress`: the entry point of one node. */
  role: z.enum(["edge", "ingress"]),
  /** Name of the node, as asked for where the mesh has none of that name; null at the edge. */
  node: z.string().nullable(),
  why: z.string(),
});
export type ExplainedEntry = z.infer<typeof ExplainedEntry>;

/** What led to the service; `nothing` where none was found. */
export const ExplainedMatch = z.object({
  by: z.enum(["port", "host", "name", "default", "nothing"]),
  why: z.string(),
  /** The path rule that decided, and the service it takes from; `from` is null where it takes from none. */
  path: z.object({ rule: z.string(), from: z.string().nullable() }).optional(),
});
export type ExplainedMatch = z.infer<typeof ExplainedMatch>;

export const ExplainedService = z.object({
  id: z.string(),
  name: z.string(),
  policy: z.string(),
  target: z.number().int(),
  mode: z.enum(["ingress", "host"]),
  /** What it asks besides the policy, a sentence each: a sticky cookie, limits, a canary. */
  options: z.array(z.string()).default([]),
});
export type ExplainedService = z.infer<typeof ExplainedService>;

export const ExplainedNode = z.object({
  id: z.string(),
  name: z.string(),
  up: z.boolean(),
  /** Its entry point may be given the request. */
  picked: z.boolean(),
  why: z.string(),
});
export type ExplainedNode = z.infer<typeof ExplainedNode>;

export const ExplainedTask = z.object({
  id: z.string(),
  /** `my-web.1`. */
  name: z.string(),
  /** Name of its node; null before it has one. */
  node: z.string().nullable(),
  /** Where it is reached for this request; null where it is not. */
  origin: z.string().nullable(),
  /** The request may be sent to it. */
  picked: z.boolean(),
  why: z.string(),
});
export type ExplainedTask = z.infer<typeof ExplainedTask>;

/** Who answers: one of the picked tasks, or the mesh itself with a status and its reason. */
export const ExplainedAnswer = z.discriminatedUnion("by", [
  z.object({ by: z.literal("task"), why: z.string() }),
  z.object({ by: z.literal("mesh"), status: z.number().int(), reason: z.string() }),
]);
export type ExplainedAnswer = z.infer<typeof ExplainedAnswer>;

export const RouteExplanation = z.object({
  request: z.object({
    method: z.string(),
    host: z.string(),
    /** The published port asked for; null where the port means nothing. */
    port: z.number().int().nullable(),
    path: z.string(),
  }),
  tableVersion: z.number().int().nonnegative(),
  entry: ExplainedEntry,
  match: ExplainedMatch,
  /** Usually one; more where services share a port in host mode; none where nothing matched. */
  services: z.array(ExplainedService),
  /** At the edge all nodes, at a node's entry point that one. */
  nodes: z.array(ExplainedNode),
  tasks: z.array(ExplainedTask),
  /** To how many tasks it may be sent, and when. */
  sending: z.string(),
  answer: ExplainedAnswer,
});
export type RouteExplanation = z.infer<typeof RouteExplanation>;
