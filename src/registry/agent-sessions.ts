// Handles the messages that agents send over their sockets. Messages that wait are one transaction, unless one of
// them is refused.

import { MeshError } from "../domain/model/error.ts";
import { type AgentMessage, closeCodes } from "../protocol/agent.ts";
import type { ParsedAgentMessage } from "./agent-message.ts";
import { goodbye, hello, leaving, refuseAddress } from "./connections.ts";
import { recordDiscovery } from "./discovery.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { isCredentialOf } from "./join.ts";
import { recordListeners } from "./listeners.ts";
import { recordDisconnect, sweep } from "./liveness.ts";
import { ReportLimits, tooManyReports } from "./report-limits.ts";
import { applyReports } from "./reports.ts";
import type { Transactions } from "./transactions.ts";

/** A message of an agent's socket. */
export type ReceivedMessage = {
  readonly nodeId: string;
  readonly parsed: ParsedAgentMessage;
  /** Where the socket's connection comes from; null if unknown. */
  readonly client: string | null;
};

export class AgentSessions {
  readonly #transactions: Transactions;
  readonly #limits = new ReportLimits();

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** True if an agent may open a socket as this node. */
  authenticateNode(nodeId: string, credential: string): boolean {
    return isCredentialOf(this.#transactions.store, nodeId, credential);
  }

  /**
   * Handles messages that wait, in their order. If one of them is refused, each is a transaction of its own. A node
   * that reports too much is disconnected.
   */
  receiveAll(messages: readonly ReceivedMessage[]): void {
    const { nowMs } = this.#transactions;
    const excessive = new Set<string>();
    const admitted = messages.filter(({ nodeId, parsed }) => {
      if (!excessive.has(nodeId) && this.#limits.admit(nodeId, parsed, nowMs)) return true;
      excessive.add(nodeId);
      return false;
    });
    if (admitted.length <= 1 || !this.#applyTogether(admitted))
      for (const message of admitted) this.#receive(message);
    for (const nodeId of excessive) this.#reject(nodeId, tooManyReports);
  }

  /** Handles the close of a node's last socket. */
  socketClosed(nodeId: string): void {
    this.#transactions.change((draft) => recordDisconnect(draft, nodeId));
  }

  /**
   * Marks down the nodes that missed their heartbeats. Called from the alarm, before `runDueDeadlines`.
   *
   * @param lastSeenMs by node with an open socket, epoch milliseconds
   */
  checkHeartbeats(lastSeenMs: ReadonlyMap<string, number>): void {
    this.#transactions.change((draft) => sweep(draft, lastSeenMs));
  }

  /** An unreadable message, or one that is refused, closes the socket and changes nothing. */
  #receive({ nodeId, parsed, client }: ReceivedMessage): void {
    if (!parsed.ok) this.#reject(nodeId, parsed.reason);
    else this.#changeForNode(nodeId, (draft) => applyMessage(draft, nodeId, parsed.message, client));
  }

  /** False if a message is refused; then nothing is applied. */
  #applyTogether(messages: readonly ReceivedMessage[]): boolean {
    if (!messages.every(({ parsed }) => parsed.ok)) return false;
    try {
      this.#transactions.change((draft) => {
        for (const { nodeId, parsed, client } of messages) {
          draft.sender = nodeId;
          if (parsed.ok) applyMessage(draft, nodeId, parsed.message, client);
        }
      });
      return true;
    } catch (error) {
      if (error instanceof MeshError) return false;
      throw error;
    }
  }

  /**
   * Closes the node's socket if `work` is refused: permanently if the node was removed, else so that its
   * agent redials.
   */
  #changeForNode(nodeId: string, work: (draft: Draft) => void): void {
    try {
      this.#transactions.change((draft) => {
        draft.sender = nodeId;
        work(draft);
      });
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      if (error.kind === "not-found") {
        this.#transactions.change((draft) => draft.close(nodeId, closeCodes.notAMember, error.message));
      } else if (error.code === "address/forbidden") {
        this.#transactions.change((draft) => refuseAddress(draft, nodeId, error.message));
      } else this.#reject(nodeId, error.message);
    }
  }

  /** Closes the socket of an agent whose message is refused. @param reason what was read */
  #reject(nodeId: string, reason: string): void {
    this.#transactions.change((draft) => {
      const node = draft.world.nodes.get(nodeId);
      if (node) draft.recordEvent(`node ${node.hostname}`, "node.refused", nodeSubject(node), reason);
      draft.close(nodeId, closeCodes.badMessage, reason);
      recordDisconnect(draft, nodeId);
    });
  }
}

function applyMessage(draft: Draft, nodeId: string, message: AgentMessage, client: string | null): void {
  if (message.type === "hello") hello(draft, nodeId, { ...message, client });
  else if (message.type === "report") {
    applyReports(draft, nodeId, message.tasks);
    if (message.listeners !== undefined) recordListeners(draft, nodeId, message.listeners);
  } else if (message.type === "discovery") recordDiscovery(draft, nodeId, message.discovery);
  else if (message.type === "leaving") leaving(draft, nodeId);
  else goodbye(draft, nodeId, message.reason);
}
