// A container's place in a network: moby's api/types/network.EndpointSettings.

import { z } from "zod";
import { type ApiMinor, count, textMap, texts } from "./values.ts";

export function endpointSettings(minor: ApiMinor) {
  return z.strictObject({
    IPAMConfig: z.strictObject({ IPv4Address: z.string().optional() }).nullable(),
    Links: texts.nullable(),
    Aliases: texts.nullable(),
    DriverOpts: textMap.nullable(),
    // Daemons of 1.48 and later.
    GwPriority: minor < 48 ? z.int().optional() : z.int(),
    NetworkID: z.string(),
    EndpointID: z.string(),
    Gateway: z.string(),
    IPAddress: z.string(),
    MacAddress: z.string(),
    IPPrefixLen: count,
    IPv6Gateway: z.string(),
    GlobalIPv6Address: z.string(),
    GlobalIPv6PrefixLen: count,
    // Daemons of 1.44 and later.
    DNSNames: minor < 44 ? texts.nullish() : texts.nullable(),
  });
}
