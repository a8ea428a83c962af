// GET /volumes: moby's api/types/volume.ListResponse.

import { z } from "zod";
import { omitempty, pointer, textMap, texts } from "./values.ts";

const volume = z.strictObject({
  CreatedAt: omitempty(z.string()),
  Driver: z.string(),
  Labels: textMap.nullable(),
  Mountpoint: z.string(),
  Name: z.string(),
  Options: textMap.nullable(),
  Scope: z.enum(["local", "global"]),
  Status: pointer(z.record(z.string(), z.unknown())),
  UsageData: pointer(z.strictObject({ RefCount: z.int().min(-1), Size: z.int().min(-1) })),
});

export const volumeList = z.strictObject({ Volumes: z.array(volume), Warnings: texts.min(1).nullable() });

export { volume };
