// The credentials of an image's registry that a Docker client sends with a service: `--with-registry-auth`.

import type { ServiceSpecInput } from "../registry/api.ts";
import { badRequest } from "./errors.ts";

/** Bytes of the header; a token of a registry has a few thousand. */
const maxHeaderLength = 16_384;

/**
 * Reads `X-Registry-Auth` and the query's `registryAuthFrom`.
 *
 * @returns undefined if the client sends none: an update keeps those of the service
 * @throws HTTPException 400 for a header that is not base64url of a JSON object; its value is not quoted
 */
export function readRegistryAuth(
  header: string | undefined,
  from: string | undefined,
): ServiceSpecInput["registryAuth"] {
  if (header !== undefined && header !== "") {
    if (header.length > maxHeaderLength || !isCredentials(header))
      throw badRequest("invalid X-Registry-Auth header: base64url of a JSON object is expected");
    return isEmpty(header) ? undefined : header;
  }
  if (from === undefined || from === "" || from === "spec") return undefined;
  if (from === "previous-spec") return { from };
  throw badRequest(`invalid registryAuthFrom '${from}': use spec or previous-spec`);
}

function isCredentials(header: string): boolean {
  const value = decode(header);
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The Docker CLI sends `{}` without credentials for the registry. */
function isEmpty(header: string): boolean {
  return Object.values(decode(header) ?? {}).every((field) => field === "");
}

function decode(header: string): object | null {
  try {
    return JSON.parse(Buffer.from(header, "base64url").toString("utf8")) as object | null;
  } catch {
    return null;
  }
}
