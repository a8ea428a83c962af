// GET /nodes and /nodes/ID: moby's api/types/swarm.Node.

import { z } from "zod";
import { tlsInfo } from "./cluster.ts";
import { genericResource } from "./task-template.ts";
import { count, meta, omitempty, pointer, swarmId, textMap } from "./values.ts";

const plugin = z.strictObject({ Type: omitempty(z.string()), Name: omitempty(z.string()) });

const description = z.strictObject({
  Hostname: omitempty(z.string()),
  Platform: z.strictObject({ Architecture: omitempty(z.string()), OS: omitempty(z.string()) }),
  Resources: z.strictObject({
    NanoCPUs: omitempty(count),
    MemoryBytes: omitempty(count),
    GenericResources: omitempty(z.array(genericResource)),
  }),
  Engine: z.strictObject({
    EngineVersion: omitempty(z.string()),
    Labels: omitempty(textMap),
    // With omitempty in Go, but every daemon has plugins, and clients go through the list unasked.
    Plugins: z.array(plugin),
  }),
  TLSInfo: tlsInfo,
});

export const node = z.strictObject({
  ID: swarmId,
  ...meta,
  Spec: z.strictObject({
    Name: omitempty(z.string()),
    Labels: textMap,
    Role: z.enum(["worker", "manager"]),
    Availability: z.enum(["active", "pause", "drain"]),
  }),
  Description: description,
  Status: z.strictObject({
    State: z.enum(["unknown", "down", "ready", "disconnected"]),
    Message: omitempty(z.string()),
    Addr: omitempty(z.string()),
  }),
  ManagerStatus: pointer(
    z.strictObject({
      Leader: omitempty(z.boolean()),
      Reachability: z.enum(["unknown", "unreachable", "reachable"]),
      Addr: omitempty(z.string()),
    }),
  ),
});
