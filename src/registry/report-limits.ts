// The limit of the reports that one node sends, so that a node cannot take the registry's time from the others.

import type { ParsedAgentMessage } from "./agent-message.ts";
import { Allowances } from "./allowance.ts";

/**
 * Reports of one node that are applied at once, and after that 100 each second. A node with 500 tasks that all restart
 * every half minute sends less.
 */
const reportsAllowed = { full: 10_000, intervalMs: 10 };

/** Why a node's message is not applied. */
export const tooManyReports = `more than ${reportsAllowed.full} reports at once, or than ${1_000 / reportsAllowed.intervalMs} a second after that: the agent connects again and says what its tasks are then`;

export class ReportLimits {
  readonly #allowances = new Allowances(reportsAllowed);

  /** How many nodes have an allowance stored. */
  get size(): number {
    return this.#allowances.stored;
  }

  /** False if a message of a node must not be applied. A large message is, if its node has anything left. */
  admit(nodeId: string, message: ParsedAgentMessage, nowMs: number): boolean {
    return this.#allowances.take(nodeId, reportCount(message), nowMs);
  }
}

/** Reports of tasks and discovered services in a message; a message without any counts as one. */
function reportCount(parsed: ParsedAgentMessage): number {
  if (!parsed.ok) return 1;
  const { message } = parsed;
  if (message.type === "discovery")
    return Math.max(1, message.discovery.services.length + message.discovery.tasks.length);
  return "tasks" in message ? Math.max(1, message.tasks.length) : 1;
}
