// Reads query parameters of the Engine API.

import { badRequest } from "./errors.ts";

/**
 * Reads the version that an update is based on.
 *
 * @param kind `service`, `node` or `swarm`, for dockerd's error message
 * @throws MeshError request/invalid
 */
export function readVersion(kind: string, text: string | undefined): number {
  const version = text ?? "";
  if (/^\d{1,15}$/.test(version)) return Number(version);
  throw badRequest(
    `invalid ${kind} version '${version}': strconv.ParseUint: parsing "${version}": invalid syntax`,
  );
}

/** Reads a flag as dockerd does: absent, empty, `0`, `no`, `false` and `none` are false. */
export function readFlag(text: string | undefined): boolean {
  return !["", "0", "no", "false", "none"].includes((text ?? "").trim().toLowerCase());
}

/** Reads a count from 0 to `max`; `fallback` if absent. @throws MeshError request/invalid */
export function readCountParameter(
  name: string,
  text: string | undefined,
  max: number,
  fallback: number,
): number {
  if (text === undefined || text === "") return fallback;
  if (/^\d{1,15}$/.test(text) && Number(text) <= max) return Number(text);
  throw badRequest(`cannot read ${name}=${text}: use a whole number from 0 to ${max}`);
}
