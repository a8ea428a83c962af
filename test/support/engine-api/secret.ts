// GET /secrets and /secrets/ID, and the answer to a create: moby's api/types/swarm.Secret. Its data is never sent.

import { z } from "zod";
import { driver, meta, omitempty, pointer, swarmId, textMap } from "./values.ts";

export const secret = z.strictObject({
  ID: swarmId,
  ...meta,
  Spec: z.strictObject({
    Name: omitempty(z.string()),
    Labels: textMap,
    Driver: pointer(driver),
    Templating: pointer(driver),
  }),
});

/** POST /secrets/create and /configs/create. */
export const fileCreated = z.strictObject({ ID: swarmId });
