// What a watcher's socket carries (GET /mesh/watch?since=SEQ, upgraded): each event as it happens, one JSON text
// frame each, starting with those kept since SEQ (without it: none); and a `table` frame with the routing table's
// version, once at the start and after each change, so that no change is lost between reading it and watching.

import { z } from "zod";

export const EventFrame = z.object({
  type: z.literal("event"),
  event: z.object({
    seq: z.number().int(),
    atMs: z.number().int(),
    actor: z.string(),
    action: z.string(),
    subject: z.object({
      type: z.enum(["mesh", "node", "service", "task", "server"]),
      id: z.string(),
      name: z.string(),
    }),
    why: z.string(),
  }),
});
export const TableFrame = z.object({ type: z.literal("table"), version: z.number().int().nonnegative() });
export const WatchFrame = z.discriminatedUnion("type", [EventFrame, TableFrame]);
export type WatchFrame = z.infer<typeof WatchFrame>;
