// The names of all fields of the Engine API's ServiceSpec: those that the mesh reads, and the others of moby's
// api/types/swarm, up to API version 1.51.

import { z } from "zod";
import { ContainerSpec, EngineMount } from "./container-schema.ts";
import { EnginePlacement, EngineServiceSpec, EngineTaskTemplate } from "./service-schema.ts";

/** Fields without named parts: text, numbers, lists of them, and maps whose keys are the operator's. */
function plain<Name extends string>(...names: readonly Name[]): Record<Name, z.ZodUnknown> {
  return Object.fromEntries(names.map((name) => [name, z.unknown()])) as Record<Name, z.ZodUnknown>;
}

const File = z.object(plain("Name", "UID", "GID", "Mode"));

const Networks = z.array(z.object(plain("Target", "Aliases", "DriverOpts")));

/** For `withFieldNames` only: it checks no values. */
export const ServiceSpecFields = EngineServiceSpec.extend({
  TaskTemplate: EngineTaskTemplate.extend({
    ContainerSpec: ContainerSpec.extend({
      Mounts: z.array(EngineMount.extend(plain("ClusterOptions"))),
      Secrets: z.array(z.object({ ...plain("SecretID", "SecretName"), File })),
      Configs: z.array(z.object({ ...plain("ConfigID", "ConfigName", "Runtime"), File })),
    }),
    PluginSpec: z.object(plain("Name", "Remote", "Disabled", "PluginPrivilege", "Env")),
    NetworkAttachmentSpec: z.object(plain("ContainerID")),
    Placement: EnginePlacement.extend({ Platforms: z.array(z.object(plain("Architecture", "OS"))) }),
    Networks,
  }),
  Networks,
});
