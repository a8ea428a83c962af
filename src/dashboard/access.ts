// Cloudflare Access: who a request comes from when Access stands in front and has signed it in.

import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MeshError } from "../domain/model/error.ts";
import type { Identity } from "./context.ts";

export type AccessSettings = {
  /** `https://team.cloudflareaccess.com`: issuer of the tokens, and where the keys are. */
  readonly issuer: string;
  /** The application's audience tag. */
  readonly audience: string;
  /** E-mail addresses of those who may act, lower case; everybody else whom Access lets in may look. */
  readonly operators: ReadonlySet<string>;
  readonly keys: JWTVerifyGetKey;
};

/** The variables ACCESS_TEAM_DOMAIN, ACCESS_AUD and ACCESS_OPERATORS; null where Access is not set up. */
export function readAccessSettings(variables: {
  readonly teamDomain: string;
  readonly audience: string;
  readonly operators: string;
}): AccessSettings | null {
  const { teamDomain, audience, operators } = variables;
  if (teamDomain === "" || audience === "") return null;
  const issuer = (teamDomain.includes("://") ? teamDomain : `https://${teamDomain}`).replace(/\/+$/, "");
  return {
    issuer,
    audience,
    operators: new Set(operators.split(/[\s,]+/).flatMap((one) => (one === "" ? [] : one.toLowerCase()))),
    keys: createRemoteJWKSet(new URL(`${issuer}/cdn-cgi/access/certs`)),
  };
}

/**
 * Who the assertion of header Cf-Access-Jwt-Assertion speaks for.
 *
 * @throws MeshError access/unauthorized saying what is wrong with it, access/unavailable when the keys cannot be had
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
    // A service token has no e-mail address but a common name.
    const name = email || (typeof payload.common_name === "string" ? payload.common_name : "");
    return {
      role: email !== "" && operators.has(email.toLowerCase()) ? "operator" : "viewer",
      actor: name || "viewer",
      id: `access ${payload.sub ?? ""} ${name}`,
      expiresAtMs: (payload.exp ?? 0) * 1_000,
      by: "access",
    };
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof errors.JOSEError)) {
    return new MeshError(
      "access/unavailable",
      "Cloudflare Access's keys cannot be had right now; try again",
      {
        blame: "mesh",
        retry: "safe",
        cause: error,
      },
    );
  }
  if (error instanceof errors.JWKSTimeout || error.code === "ERR_JOSE_GENERIC") {
    return new MeshError(
      "access/unavailable",
      `Cloudflare Access's keys cannot be had right now (${error.message}); try again`,
      { blame: "mesh", retry: "safe", cause: error },
    );
  }
  return new MeshError(
    "access/unauthorized",
    `Cloudflare Access's assertion is not accepted: ${error.message}; ACCESS_TEAM_DOMAIN and ACCESS_AUD say whose is`,
    { blame: "operator", retry: "never", cause: error },
  );
}
