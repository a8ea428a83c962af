// GET /configs and /configs/ID: moby's api/types/swarm.Config.

import { z } from "zod";
import { base64, driver, meta, omitempty, pointer, swarmId, textMap } from "./values.ts";

export const config = z.strictObject({
  ID: swarmId,
  ...meta,
  Spec: z.strictObject({
    Name: omitempty(z.string()),
    Labels: textMap,
    Data: omitempty(base64),
    Templating: pointer(driver),
  }),
});
