// Canaries: decides whether a request goes to its service or to that service's canary.

import type { Canary, CanaryRule } from "../../domain/table/table.ts";
import { cookieOf } from "../http/cookies.ts";
import { hash32 } from "./policies/hash.ts";

/**
 * True if a request chooses the canary: by its header first, then by its cookie. A cookie value that is
 * neither `always` nor `never` decides by its hash within the canary's share, so that a user stays on one
 * side.
 *
 * @returns null if the request does not choose, so that the share decides
 * @see docs/labels.md
 *
 * @see docs/decisions/0024-canary-is-a-service.md
 */
export function wantsCanary({ header, cookie, percent }: Canary, headers: Headers): boolean | null {
  if (header !== undefined) {
    const choice = byRule(header, headers.get(header.name));
    if (choice !== null) return choice;
  }
  if (cookie === undefined) return null;
  const value = cookieOf(headers.get("cookie"), cookie.name);
  const choice = byRule(cookie, value);
  if (choice !== null || value === null || cookie.value !== undefined) return choice;
  return inShare(percent, hash32(`canary ${value}`) / 0x1_0000_0000);
}

/** True if a random number of [0, 1) falls into the canary's share. */
export function inShare(percent: number, draw: number): boolean {
  return draw * 100 < percent;
}

function byRule(rule: CanaryRule, value: string | null): boolean | null {
  if (value === null) return null;
  if (rule.value !== undefined) return value === rule.value ? true : null;
  return value === "always" ? true : value === "never" ? false : null;
}
