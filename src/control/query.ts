// Query parameters of the Engine API.

import { badRequest } from "./errors.ts";

/**
 * The version an update was made to.
 *
 * @param kind `service`, `node`, `swarm`: what the error calls it, in dockerd's words
 * @throws MeshError request/invalid
 */
export function readVersion(kind: string, text: string | undefined): number {
  const given = text ?? "";
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw badRequest(
    `invalid ${kind} version '${given}': strconv.ParseUint: parsing "${given}": invalid syntax`,
  );
}

/** dockerd's reading of a flag: absent, empty, `0`, `no`, `false` and `none` are false. */
export function readFlag(text: string | undefined): boolean {
  return !["", "0", "no", "false", "none"].includes((text ?? "").trim().toLowerCase());
}

/** A count from 0 to `max`; `otherwise` where it is absent. @throws MeshError request/invalid */
export function readCountParameter(
  name: string,
  text: string | undefined,
  max: number,
  otherwise: number,
): number {
  if (text === undefined || text === "") return otherwise;
  if (/^\d{1,15}$/.test(text) && Number(text) <= max) return Number(text);
  throw badRequest(`cannot read ${name}=${text}: a whole number from 0 to ${max}`);
}
