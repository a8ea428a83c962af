// GET /version: moby's api/types/system.VersionResponse.

import { z } from "zod";
import { omitempty, textMap } from "./values.ts";

const apiVersion = z.string().regex(/^1\.\d+$/);

export const systemVersion = z.strictObject({
  Platform: z.strictObject({ Name: z.string() }),
  Components: omitempty(
    z.array(z.strictObject({ Name: z.string(), Version: z.string(), Details: omitempty(textMap) })),
  ),
  Version: z.string(),
  ApiVersion: apiVersion,
  MinAPIVersion: omitempty(apiVersion),
  // Without omitempty before API version 1.52.
  GitCommit: z.string(),
  GoVersion: z.string(),
  Os: z.string(),
  Arch: z.string(),
  KernelVersion: omitempty(z.string()),
  Experimental: omitempty(z.boolean()),
  BuildTime: omitempty(z.string()),
});
