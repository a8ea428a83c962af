// NetworksAttachments of a task: moby's api/types/swarm.NetworkAttachment, with the network as the Swarm stores it.

import { z } from "zod";
import { driver, meta, omitempty, pointer, swarmId, textMap, texts } from "./values.ts";

const ipamOptions = z.strictObject({
  Driver: driver,
  Configs: omitempty(
    z.array(
      z.strictObject({
        Subnet: omitempty(z.string()),
        Range: omitempty(z.string()),
        Gateway: omitempty(z.string()),
      }),
    ),
  ),
});

const swarmNetwork = z.strictObject({
  ID: swarmId,
  ...meta,
  Spec: z.strictObject({
    Name: omitempty(z.string()),
    Labels: textMap,
    DriverConfiguration: pointer(driver),
    IPv6Enabled: omitempty(z.boolean()),
    Internal: omitempty(z.boolean()),
    Attachable: omitempty(z.boolean()),
    Ingress: omitempty(z.boolean()),
    IPAMOptions: pointer(ipamOptions),
    ConfigFrom: pointer(z.strictObject({ Network: z.string() })),
    Scope: omitempty(z.string()),
  }),
  DriverState: driver,
  IPAMOptions: pointer(ipamOptions),
});

export const networkAttachment = z.strictObject({
  Network: swarmNetwork,
  Addresses: omitempty(texts),
});
