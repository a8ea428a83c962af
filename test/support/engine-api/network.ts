// GET /networks and /networks/ID, and the answer to a create: moby's api/types/network.Network.

import { z } from "zod";
import { type ApiMinor, engineId, omitempty, swarmId, textMap, time } from "./values.ts";

/** A network of a Swarm or of one engine. */
const networkId = z.union([swarmId, engineId]);

const endpoint = z.strictObject({
  Name: z.string(),
  EndpointID: z.string(),
  MacAddress: z.string(),
  IPv4Address: z.string(),
  IPv6Address: z.string(),
});

const ipamConfig = z.strictObject({
  Subnet: omitempty(z.string()),
  IPRange: omitempty(z.string()),
  Gateway: omitempty(z.string()),
  AuxiliaryAddresses: omitempty(textMap),
});

export function network(minor: ApiMinor) {
  return z.strictObject({
    Name: z.string(),
    Id: networkId,
    Created: time,
    Scope: z.enum(["swarm", "local", "global"]),
    Driver: z.string(),
    // A daemon of 1.48 and later sends it to clients of any version.
    EnableIPv4: minor < 48 ? z.boolean().optional() : z.boolean(),
    EnableIPv6: z.boolean(),
    IPAM: z.strictObject({
      Driver: z.string(),
      Options: textMap.nullable(),
      Config: z.array(ipamConfig).nullable(),
    }),
    Internal: z.boolean(),
    Attachable: z.boolean(),
    Ingress: z.boolean(),
    ConfigFrom: z.strictObject({ Network: z.string() }),
    ConfigOnly: z.boolean(),
    // Null for a network of the Swarm that no container of this engine is connected to.
    Containers: z.record(z.string(), endpoint).nullable(),
    Options: textMap.nullable(),
    Labels: textMap.nullable(),
    Peers: omitempty(z.array(z.strictObject({ Name: z.string(), IP: z.string() }))),
    // With verbose=true.
    Services: omitempty(z.record(z.string(), z.unknown())),
  });
}

/** POST /networks/create. */
export const networkCreated = z.strictObject({ Id: networkId, Warning: z.string() });
