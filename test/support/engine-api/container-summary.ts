// GET /containers/json: moby's api/types/container.Summary.

import { z } from "zod";
import { endpointSettings } from "./container-network.ts";
import { type ApiMinor, count, engineId, omitempty, textMap } from "./values.ts";

/** A file system in a container; of a list and of one container alike. */
export const mountPoint = z.strictObject({
  Type: omitempty(z.string()),
  Name: omitempty(z.string()),
  Source: z.string(),
  Destination: z.string(),
  Driver: omitempty(z.string()),
  Mode: z.string(),
  RW: z.boolean(),
  Propagation: z.string(),
});

const port = z.strictObject({
  IP: omitempty(z.string()),
  PrivatePort: count,
  PublicPort: omitempty(count),
  Type: z.enum(["tcp", "udp", "sctp"]),
});

export const containerState = z.enum([
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
]);

export function containerSummary(minor: ApiMinor) {
  return z.strictObject({
    Id: engineId,
    Names: z.array(z.string().startsWith("/")).min(1),
    Image: z.string().min(1),
    ImageID: z.string(),
    Command: z.string(),
    Created: count,
    Ports: z.array(port),
    SizeRw: omitempty(count),
    SizeRootFs: omitempty(count),
    Labels: textMap,
    State: containerState,
    Status: z.string().min(1),
    HostConfig: z.strictObject({ NetworkMode: omitempty(z.string()) }),
    NetworkSettings: z.strictObject({ Networks: z.record(z.string(), endpointSettings(minor)) }),
    Mounts: z.array(mountPoint),
  });
}
