// What a watcher's socket carries (GET /mesh/watch?since=SEQ, upgraded): each event as it happens, one JSON text
// frame each, starting with those kept since SEQ; and after each change of the routing table a `table` frame.

import { z } from "zod";

export const EventFrame = z.object({
  type: z.literal("event"),
  event: z.object({
    seq: z.number().int(),
    atMs: z.number().int(),
    actor: z.string(),
    action: z.string(),
    subject: z.object({ type: z.enum(["mesh", "node", "service", "task"]), id: z.string(), name: z.string() }),
    why: z.string(),
  }),
});
export const TableFrame = z.object({ type: z.literal("table"), version: z.number().int().nonnegative() });
export const WatchFrame = z.discriminatedUnion("type", [EventFrame, TableFrame]);
export type WatchFrame = z.infer<typeof WatchFrame>;
