// GET /images/json: moby's api/types/image.Summary.

import { z } from "zod";
import { type ApiMinor, before, textMap, texts } from "./values.ts";

export function imageSummary(minor: ApiMinor) {
  return z.strictObject({
    // -1: not counted.
    Containers: z.int().min(-1),
    Created: z.int(),
    Id: z.string().startsWith("sha256:"),
    Labels: textMap.nullable(),
    ParentId: z.string(),
    RepoDigests: texts.nullable(),
    RepoTags: texts.nullable(),
    SharedSize: z.int().min(-1),
    Size: z.int().min(0),
    VirtualSize: before(44, minor, z.int().min(0)),
  });
}
