// The Engine API version before a path, as a client that negotiated it writes it.

import type { MiddlewareHandler } from "hono";
import { apiVersion, minApiVersion } from "../protocol/engine/version.ts";
import type { ControlEnv } from "./context.ts";
import { badRequest } from "./errors.ts";

const versionPrefix = /^\/v(\d{1,3}\.\d{1,3})(?=\/)/;

/** The path without the version: every version has the same routes. */
export function withoutVersion(path: string): string {
  return path.replace(versionPrefix, "");
}

/** Refuses a version that this API does not speak, in dockerd's words: a client may rely on what it does not do. */
export const checkApiVersion: MiddlewareHandler<ControlEnv> = async (c, next) => {
  const given = versionPrefix.exec(new URL(c.req.url).pathname)?.[1];
  if (given !== undefined && numberOf(given) > numberOf(apiVersion)) {
    throw badRequest(`client version ${given} is too new. Maximum supported API version is ${apiVersion}`);
  }
  if (given !== undefined && numberOf(given) < numberOf(minApiVersion)) {
    throw badRequest(
      `client version ${given} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    );
  }
  await next();
};

function numberOf(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000 + minor;
}
