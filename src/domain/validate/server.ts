// What a static server must be before the mesh takes it on. What needs to know the mesh is not decided here.

import { isStatusList } from "../model/check-expect.ts";
import { invalidAs } from "../model/error.ts";
import { isToken } from "../model/http-token.ts";
import type { CheckSpec, HttpCheck, ServerSpec } from "../model/server.ts";

const invalid = invalidAs("server/invalid");

/** Far beyond any use; a timer takes no longer one. Milliseconds: a day. */
const maxCheckTimeMs = 86_400_000;
/** Checks more often than this would cost more than they tell, milliseconds. */
const minCheckIntervalMs = 100;
const maxPatternLength = 200;
const maxUriLength = 2_000;

/** As HAProxy takes it for a server, and as it may stand in a path. */
const serverNamePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?$/;

/** Refuses a server that cannot be. @throws MeshError server/invalid */
export function validateServer(spec: ServerSpec): void {
  const { name, port, weight, maxConn, cookie, check } = spec;
  if (!serverNamePattern.test(name) || name.length > 63) {
    throw invalid(`cannot read server name "${name}": up to 63 letters, digits, ".", "_", ":" and "-"`);
  }
  checkInteger("port", port, 1, 65_535);
  checkInteger("weight", weight, 0, 256);
  checkInteger("maxconn", maxConn, 0, 1_000_000);
  if (cookie !== null && !/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,100}$/.test(cookie)) {
    throw invalid(
      `cannot read cookie "${cookie}": 1 to 100 characters of a cookie's value (RFC 6265 §4.1.1)`,
    );
  }
  if (check !== null) validateCheck(check);
}

function validateCheck(check: CheckSpec): void {
  if (check.port !== null) checkInteger("check port", check.port, 1, 65_535);
  checkInteger("inter (ms)", check.interMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("fastinter (ms)", check.fastInterMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("downinter (ms)", check.downInterMs, minCheckIntervalMs, maxCheckTimeMs);
  checkInteger("check timeout (ms)", check.timeoutMs, 1, maxCheckTimeMs);
  checkInteger("rise", check.rise, 1, 1_000);
  checkInteger("fall", check.fall, 1, 1_000);
  if (check.http !== null) validateHttp(check.http);
}

function validateHttp({ method, uri, headers, expect }: HttpCheck): void {
  if (!isToken(method)) throw invalid(`cannot read check method "${method}": write it as GET`);
  // Printable ASCII without a space is all that may stand in a request line (RFC 9112 §3.2).
  if (!/^[!-~]+$/.test(uri) || uri.length > maxUriLength) {
    throw invalid(`cannot read check URI "${uri.slice(0, 60)}": a path such as /health`);
  }
  for (const { name, value } of headers) {
    if (!isToken(name)) throw invalid(`cannot read the name of check header "${name}"`);
    if (!/^[\t\x20-\x7e\x80-\xff]{0,1000}$/.test(value)) {
      throw invalid(`cannot read the value of check header ${name}: one line of text`);
    }
  }
  if (expect !== null) validateExpect(expect.kind, expect.pattern);
}

function validateExpect(kind: NonNullable<HttpCheck["expect"]>["kind"], pattern: string): void {
  if (pattern === "" || pattern.length > maxPatternLength) {
    throw invalid(`what a check expects has to be 1 to ${maxPatternLength} characters`);
  }
  if (kind === "status" && !isStatusList(pattern)) {
    throw invalid(`cannot read expected status "${pattern}": write it as 200, 200-399 or 200,204`);
  }
  if (kind === "rstatus" || kind === "rstring") {
    try {
      new RegExp(pattern);
    } catch (error) {
      throw invalid(`cannot read expected pattern "${pattern}": ${(error as Error).message}`);
    }
  }
}

function checkInteger(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalid(`${what} is ${value}: use a whole number from ${least} to ${most}`);
}
