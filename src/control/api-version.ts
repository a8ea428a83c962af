// The Engine API version at the start of a path, such as `/v1.45`, which clients add after negotiation.

import type { Context, MiddlewareHandler } from "hono";
import { apiVersion, minApiVersion } from "../protocol/engine/version.ts";
import type { ControlEnv } from "./context.ts";
import { badRequest } from "./errors.ts";

const versionPrefix = /^\/v(\d{1,3}\.\d{1,3})(?=\/)/;

/** Strips the version from a path, since all versions have the same routes. */
export function withoutVersion(path: string): string {
  return path.replace(versionPrefix, "");
}

/** The minor part of the version that a request has: 44 of `/v1.44/info`; without one the newest. */
export function apiMinorOf(c: Context): number {
  const version = versionPrefix.exec(new URL(c.req.url).pathname)?.[1] ?? apiVersion;
  return numberOf(version) % 1_000;
}

/** The headers of every response of the Engine API. */
const engineHeaders = { "api-version": apiVersion, "docker-experimental": "false", ostype: "linux" };

/**
 * Refuses unsupported versions in dockerd's words: a client could rely on features this API does not have. Responses
 * state the version of the API, also a refusal.
 */
export const checkApiVersion: MiddlewareHandler<ControlEnv> = async (c, next) => {
  const { pathname } = new URL(c.req.url);
  const version = versionPrefix.exec(pathname)?.[1];
  if (!/^\/(?:mesh|metrics)(?:\/|$)/.test(withoutVersion(pathname))) {
    for (const [name, value] of Object.entries(engineHeaders)) c.header(name, value);
  }
  if (version !== undefined && numberOf(version) > numberOf(apiVersion)) {
    throw badRequest(`client version ${version} is too new. Maximum supported API version is ${apiVersion}`);
  }
  if (version !== undefined && numberOf(version) < numberOf(minApiVersion)) {
    throw badRequest(
      `client version ${version} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    );
  }
  await next();
};

function numberOf(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000 + minor;
}
