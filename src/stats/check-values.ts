// A check as HAProxy's columns tell it, read out of the agent's words for it: `L7OK/200 in 3ms`, `L4CON in 0ms`.

import type { HealthReport } from "../domain/model/task.ts";
import type { ColumnValues } from "./report.ts";

/** What HAProxy's page says of each result, by its code. */
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

/** CODE, its status where it has one, how long it took, and what else is to say: `L4CON in 0ms (port 443)`. */
const checkTextPattern = /^([A-Z0-9]+)(?:\/(\d+))?(?: in (\d+)ms)?(?: \((.*)\))?$/s;

/**
 * The columns of a check and of the count it belongs to. A text that is not HAProxy's is kept as the text of a check of
 * unknown result, so that nothing said is lost.
 */
export function checkValues(health: HealthReport): ColumnValues {
  const { rise, fall } = health;
  return {
    ...resultValues(health.lastCheck),
    check_rise: rise,
    check_fall: fall,
    check_health: checkHealth(health),
  };
}

/** The columns of one check. @param text the agent's words; empty: not checked yet */
export function resultValues(text: string): ColumnValues {
  if (text === "") return { check_status: "INI", check_desc: checkDescriptions.INI ?? "" };
  const [, code = "", status, durationMs, more = ""] = checkTextPattern.exec(text) ?? [];
  const meaning = checkDescriptions[code];
  if (meaning === undefined)
    return { check_status: "UNK", check_desc: checkDescriptions.UNK ?? "", last_chk: text };
  return {
    check_status: code,
    check_desc: meaning,
    last_chk: more,
    ...(status !== undefined && { check_code: Number(status) }),
    ...(durationMs !== undefined && { check_duration: Number(durationMs) }),
  };
}

/** HAProxy counts health from 0 to rise + fall - 1: from `rise` on a server is up, and each result moves it. */
function checkHealth({ verdict, streak, rise, fall }: HealthReport): number {
  const full = rise + fall - 1;
  if (verdict === "healthy") return streak.ok ? full : Math.max(full - streak.length, rise);
  return streak.ok ? Math.min(streak.length, rise - 1) : 0;
}
