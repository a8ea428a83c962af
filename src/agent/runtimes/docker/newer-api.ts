// The parts of a task template that only newer daemons know: an older one would ignore them without a word, so the
// node rejects the task.

import type { EngineMount } from "../../../protocol/engine/container-schema.ts";
import type { EngineTaskTemplate } from "../../../protocol/engine/service-schema.ts";
import { compareVersions } from "./daemon.ts";

/** A part, and the API version that added it. */
type NewerPart = { readonly name: string; readonly api: string; readonly isSet: boolean };

/**
 * Why a daemon cannot honour a template; null if it can.
 *
 * @param api version that the daemon is asked in
 * @see https://docs.docker.com/reference/api/engine/version-history/
 */
export function whyNotInApi(template: EngineTaskTemplate, api: string): string | null {
  const { Healthcheck, Mounts } = template.ContainerSpec ?? {};
  const parts = [
    {
      name: "ContainerSpec.Healthcheck.StartInterval (--health-start-interval)",
      api: "1.44",
      isSet: Boolean(Healthcheck?.StartInterval),
    },
    ...(Mounts ?? []).flatMap(mountParts),
  ];
  const newer = parts.filter((part) => part.isSet && compareVersions(api, part.api) < 0);
  if (newer.length === 0) return null;
  const names = [...new Set(newer.map((part) => `${part.name} since API ${part.api}`))].join(", ");
  return `the Docker daemon of this node speaks API ${api}, and has not yet ${names}: leave that out, or update Docker`;
}

function mountParts({
  Target,
  Type,
  BindOptions,
  VolumeOptions,
  TmpfsOptions,
}: EngineMount): readonly NewerPart[] {
  const part = (name: string, api: string, value: unknown) => ({
    name: `${name} of the mount at ${Target}`,
    api,
    isSet: Boolean(value),
  });
  return [
    part("BindOptions.CreateMountpoint", "1.42", BindOptions?.CreateMountpoint),
    part("BindOptions.ReadOnlyNonRecursive", "1.44", BindOptions?.ReadOnlyNonRecursive),
    part("BindOptions.ReadOnlyForceRecursive", "1.44", BindOptions?.ReadOnlyForceRecursive),
    part("VolumeOptions.Subpath", "1.45", VolumeOptions?.Subpath),
    part("TmpfsOptions.Options", "1.46", TmpfsOptions?.Options?.length),
    part("Type image", "1.48", Type === "image"),
  ];
}
