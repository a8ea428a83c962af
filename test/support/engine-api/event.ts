// A line of GET /events: moby's api/types/events.Message, with the fields that it had before API version 1.52.

import { z } from "zod";
import { count, omitempty, textMap } from "./values.ts";

export const event = z.strictObject({
  // Of containers and images.
  status: omitempty(z.string()),
  id: omitempty(z.string()),
  from: z.string().optional(),
  Type: z.enum([
    "container",
    "image",
    "volume",
    "network",
    "daemon",
    "plugin",
    "node",
    "service",
    "secret",
    "config",
  ]),
  Action: z.string(),
  Actor: z.strictObject({ ID: z.string(), Attributes: textMap }),
  scope: z.enum(["swarm", "local"]),
  time: count,
  // Beyond the whole numbers of JavaScript.
  timeNano: z.number().positive(),
});
