// Cloudflare Access: reads the identity from the JWT that Access adds to every request it lets through.

import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MeshError } from "../domain/model/error.ts";
import type { Identity } from "./context.ts";

export type AccessSettings = {
  /** `https://team.cloudflareaccess.com`: the issuer of the tokens, and where its keys are published. */
  readonly issuer: string;
  /** The application's audience tag. */
  readonly audience: string;
  /** E-mail addresses of operators, in lower case; every other user is a viewer. */
  readonly operators: ReadonlySet<string>;
  readonly keys: JWTVerifyGetKey;
};

/** Reads ACCESS_TEAM_DOMAIN, ACCESS_AUD and ACCESS_OPERATORS. Null if Access is not set up. */
export function readAccessSettings(variables: {
  readonly teamDomain: string;
  readonly audience: string;
  readonly operators: string;
}): AccessSettings | null {
  const { teamDomain, audience, operators } = variables;
  if (teamDomain === "" || audience === "") return null;
  const issuer = (teamDomain.includes("://") ? teamDomain : `https://${teamDomain}`).replace(
    /(?<!\/)\/+$/,
    "",
  );
  const addresses = operators.split(/[\s,]+/).filter((address) => address !== "");
  return {
    issuer,
    audience,
    operators: new Set(addresses.map((address) => address.toLowerCase())),
    keys: createRemoteJWKSet(new URL(`${issuer}/cdn-cgi/access/certs`)),
  };
}

/**
 * Verifies the header Cf-Access-Jwt-Assertion.
 *
 * @throws MeshError access/unauthorized if the assertion is invalid, access/unavailable if the keys cannot be fetched
 */
export async function readAssertion(
  assertion: string,
  { issuer, audience, operators, keys }: AccessSettings,
  nowMs: number,
): Promise<Identity> {
  try {
    const { payload } = await jwtVerify(assertion, keys, {
      issuer,
      audience,
      algorithms: ["RS256", "ES256"],
      requiredClaims: ["exp"],
      currentDate: new Date(nowMs),
    });
    const email = typeof payload.email === "string" ? payload.email : "";
    // A service token has a common name instead of an e-mail address.
    const name = email || (typeof payload.common_name === "string" ? payload.common_name : "");
    return {
      role: email !== "" && operators.has(email.toLowerCase()) ? "operator" : "viewer",
      actor: name || "viewer",
      id: `access ${payload.sub ?? ""} ${name}`,
      expiresAtMs: (payload.exp ?? 0) * 1_000,
      by: "access",
    };
  } catch (error) {
    throw accessError(error);
  }
}

function accessError(error: unknown): MeshError {
  if (!(error instanceof errors.JOSEError)) return keysUnavailable(error, "");
  if (error instanceof errors.JWKSTimeout || error.code === "ERR_JOSE_GENERIC")
    return keysUnavailable(error, ` (${error.message})`);
  return new MeshError(
    "access/unauthorized",
    `the Cloudflare Access assertion is invalid: ${error.message}; check ACCESS_TEAM_DOMAIN and ACCESS_AUD`,
    { blame: "operator", retry: "never", cause: error },
  );
}

function keysUnavailable(cause: unknown, detail: string): MeshError {
  return new MeshError(
    "access/unavailable",
    `cannot fetch the keys of Cloudflare Access${detail}; try again`,
    { blame: "mesh", retry: "safe", cause },
  );
}
