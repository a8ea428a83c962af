// Validation of a static server by itself; the registry checks its address and that its name is free.

import { refuseExpect } from "../model/check-expect.ts";
import { invalidAs } from "../model/error.ts";
import { isToken } from "../model/http-token.ts";
import type { CheckSpec, Expect, HttpCheck, ServerSpec } from "../model/server.ts";

const invalid = invalidAs("server/invalid");

/** A day, milliseconds: far beyond any use. */
const maxCheckTimeMs = 86_400_000;
/** Shorter intervals would cost more than they are worth, milliseconds. */
export const minCheckIntervalMs = 100;
const maxUriLength = 2_000;

/** True for a name that HAProxy accepts for a server, as far as it can be a path segment. */
export function isServerName(name: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?$/.test(name) && name.length <= 63;
}

/**
 * Checks a server's settings.
 *
 * @param before the settings that these replace. A pattern that is already stored is not checked again: an
 * earlier release may have accepted more, and such a server must remain changeable.
 * @throws MeshError `server/invalid`
 */
export function validateServer(spec: ServerSpec, before: ServerSpec | null = null): void {
  const { name, port, weight, maxConn, cookie, check } = spec;
  if (!isServerName(name)) {
    throw invalid(`cannot read server name "${name}": use up to 63 letters, digits, ".", "_", ":" and "-"`);
  }
  checkInteger("port", port, 1, 65_535);
  checkInteger("weight", weight, 0, 256);
  checkInteger("maxconn", maxConn, 0, 1_000_000);
  if (cookie !== null && !/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,100}$/.test(cookie)) {
    throw invalid(
      `cannot read cookie "${cookie}": use 1 to 100 characters that a cookie value may have (RFC 6265 §4.1.1)`,
    );
  }
  if (check !== null) validateCheck(check, before?.check?.http?.expect ?? null);
}

function validateCheck(check: CheckSpec, stored: Expect | null): void {
  if (check.port !== null) checkInteger("check port", check.port, 1, 65_535);
  checkInteger("inter (ms)", check.interMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("fastinter (ms)", check.fastInterMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("downinter (ms)", check.downInterMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("check timeout (ms)", check.timeoutMs, 1, maxCheckTimeMs);
  checkInteger("rise", check.rise, 1, 1_000);
  checkInteger("fall", check.fall, 1, 1_000);
  if (check.http !== null) validateHttp(check.http, stored);
}

function validateHttp({ method, uri, headers, expect }: HttpCheck, stored: Expect | null): void {
  if (!isToken(method)) throw invalid(`cannot read check method "${method}": write it as GET`);
  // A request line may only have printable ASCII without spaces (RFC 9112 §3.2).
  if (!/^[!-~]+$/.test(uri) || uri.length > maxUriLength) {
    throw invalid(`cannot read check URI "${uri.slice(0, 60)}": use a path such as /health`);
  }
  for (const { name, value } of headers) {
    if (!isToken(name)) throw invalid(`cannot read check header name "${name}": use letters, digits and "-"`);
    if (!/^[\t\x20-\x7e\x80-\xff]{0,1000}$/.test(value)) {
      throw invalid(`cannot read the value of check header ${name}: use one line of up to 1000 characters`);
    }
  }
  const isStored = expect?.kind === stored?.kind && expect?.pattern === stored?.pattern;
  const refusal = expect === null || isStored ? null : refuseExpect(expect);
  if (refusal !== null) throw invalid(refusal);
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw invalid(`${name} is ${value}: use a whole number from ${min} to ${max}`);
}
