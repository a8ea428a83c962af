// The check columns of HAProxy's statistics, parsed from the agent's text: `L7OK/200 in 3ms`, `L4CON in 0ms`.

import { counterOf } from "../domain/model/check-counter.ts";
import type { HealthReport } from "../domain/model/task.ts";
import type { ColumnValues } from "./report.ts";

/** HAProxy's description of each check result, by code. */
const checkDescriptions: Readonly<Record<string, string>> = {
  UNK: "Unknown",
  INI: "Initializing",
  SOCKERR: "Socket error",
  L4OK: "Layer4 check passed",
  L4TOUT: "Layer4 timeout",
  L4CON: "Layer4 connection problem",
  L6OK: "Layer6 check passed",
  L6TOUT: "Layer6 timeout",
  L6RSP: "Layer6 invalid response",
  L7OK: "Layer7 check passed",
  L7OKC: "Layer7 check conditionally passed",
  L7TOUT: "Layer7 timeout",
  L7RSP: "Layer7 invalid response",
  L7STS: "Layer7 wrong status",
};

/** The code, the HTTP status if any, the duration and details: `L4CON in 0ms (port 443)`. */
const checkTextPattern = /^([A-Z0-9]+)(?:\/(\d+))?(?: in (\d+)ms)?(?: \((.*)\))?$/s;

/** The columns of a task's check and its health counter. */
export function checkValues(health: HealthReport): ColumnValues {
  const { rise, fall } = health;
  return {
    ...resultValues(health.lastCheck),
    check_rise: rise,
    check_fall: fall,
    check_health: counterOf(health, health),
  };
}

/**
 * The columns of one check. A text in another format becomes the details of an unknown result.
 *
 * @param text the agent's; empty before the first check
 */
export function resultValues(text: string): ColumnValues {
  if (text === "") return { check_status: "INI", check_desc: checkDescriptions.INI ?? "" };
  const [, code = "", status, durationMs, details = ""] = checkTextPattern.exec(text) ?? [];
  const description = checkDescriptions[code];
  if (description === undefined)
    return { check_status: "UNK", check_desc: checkDescriptions.UNK ?? "", last_chk: text };
  return {
    check_status: code,
    check_desc: description,
    last_chk: details,
    ...(status !== undefined && { check_code: Number(status) }),
    ...(durationMs !== undefined && { check_duration: Number(durationMs) }),
  };
}
