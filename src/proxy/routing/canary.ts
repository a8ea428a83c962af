// A canary: whether a request goes to the second service that gets some of a service's requests.

import type { Canary, CanaryRule } from "../../domain/table/table.ts";
import { cookieOf } from "../http/cookies.ts";
import { hash32 } from "./policies/hash.ts";

/**
 * What a request itself says: its header first, then its cookie. A cookie's value that says neither decides by its hash
 * within the canary's share, so that a user stays on one side.
 *
 * @returns null where it says nothing, and the share decides
 * @see docs/labels.md
 */
export function saysCanary({ header, cookie, percent }: Canary, headers: Headers): boolean | null {
  if (header !== undefined) {
    const said = byRule(header, headers.get(header.name));
    if (said !== null) return said;
  }
  if (cookie === undefined) return null;
  const value = cookieOf(headers.get("cookie"), cookie.name);
  const said = byRule(cookie, value);
  if (said !== null || value === null || cookie.value !== undefined) return said;
  return inShare(percent, hash32(`canary ${value}`) / 0x1_0000_0000);
}

/** Whether a draw of [0, 1) falls into the canary's share. */
export function inShare(percent: number, draw: number): boolean {
  return draw * 100 < percent;
}

function byRule(rule: CanaryRule, value: string | null): boolean | null {
  if (value === null) return null;
  if (rule.value !== undefined) return value === rule.value ? true : null;
  return value === "always" ? true : value === "never" ? false : null;
}
