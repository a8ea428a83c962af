// The frames of a watcher's socket (GET /mesh/watch?since=SEQ, upgraded), each a JSON text.
//
// An `event` frame for each event after SEQ that is still stored, then for each event as it happens; without
// SEQ no stored ones. A `table` frame with the routing table's version at the start and after each change, so
// that a watcher misses no change between reading the table and watching.

import { z } from "zod";

export const EventFrame = z.object({
  type: z.literal("event"),
  event: z.object({
    seq: z.number().int(),
    atMs: z.number().int(),
    actor: z.string(),
    action: z.string(),
    subject: z.object({
      type: z.enum(["mesh", "node", "service", "task", "server", "network", "secret", "config"]),
      id: z.string(),
      name: z.string(),
    }),
    why: z.string(),
  }),
});
const TableFrame = z.object({ type: z.literal("table"), version: z.number().int().nonnegative() });
export const WatchFrame = z.discriminatedUnion("type", [EventFrame, TableFrame]);
export type WatchFrame = z.infer<typeof WatchFrame>;
