// GET /system/df: moby's api/types/system.DiskUsage before API version 1.52; and the answers to prunes.

import { z } from "zod";
import { containerSummary } from "./container-summary.ts";
import { imageSummary } from "./image.ts";
import { type ApiMinor, before, count, texts } from "./values.ts";
import { volume } from "./volume.ts";

export function diskUsage(minor: ApiMinor) {
  return z.strictObject({
    LayersSize: count,
    Images: z.array(imageSummary(minor)),
    Containers: z.array(containerSummary(minor)),
    Volumes: z.array(volume),
    // Null if the daemon has no build cache.
    BuildCache: z.array(z.record(z.string(), z.unknown())).nullable(),
    BuilderSize: before(42, minor, count),
  });
}

/** The answer to a prune. @param removed the name of its list: `ContainersDeleted` */
export function pruned(removed: string) {
  return z.strictObject({ [removed]: texts.nullable(), SpaceReclaimed: count });
}
