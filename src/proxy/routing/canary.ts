// A canary: whether a request goes to the second service that gets some of a service's requests.

import type { Canary, CanaryRule } from "../../domain/table/table.ts";
import { cookieOf } from "../http/cookies.ts";
import { hash32 } from "./policies/hash.ts";

/**
 * What a request itself says: its header first, then its cookie. A cookie value that is neither decides by its hash
 * within the canary's share, so that a user stays on one side.
 *
 * @returns null where the request says nothing and the share decides
 * @see docs/labels.md
 */
export function wantsCanary({ header, cookie, percent }: Canary, headers: Headers): boolean | null {
  if (header !== undefined) {
    const wanted = byRule(header, headers.get(header.name));
    if (wanted !== null) return wanted;
  }
  if (cookie === undefined) return null;
  const value = cookieOf(headers.get("cookie"), cookie.name);
  const wanted = byRule(cookie, value);
  if (wanted !== null || value === null || cookie.value !== undefined) return wanted;
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
