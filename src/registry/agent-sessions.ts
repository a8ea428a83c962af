// Handles the messages that agents send over their sockets. Each message is one transaction.

import { MeshError } from "../domain/model/error.ts";
import { closeCodes, type ListenersReport, type TaskReport } from "../protocol/agent.ts";
import type { DiscoveryReport } from "../protocol/discovery.ts";
import type { ParsedAgentMessage } from "./agent-message.ts";
import { goodbye, type HelloInput, hello, leaving, refuseAddress } from "./connections.ts";
import { recordDiscovery } from "./discovery.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { isCredentialOf } from "./join.ts";
import { recordListeners } from "./listeners.ts";
import { recordDisconnect, sweep } from "./liveness.ts";
import { applyReports } from "./reports.ts";
import type { Transactions } from "./transactions.ts";

export class AgentSessions {
  readonly #transactions: Transactions;

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** True if an agent may open a socket as this node. */
  authenticateNode(nodeId: string, credential: string): boolean {
    return isCredentialOf(this.#transactions.store, nodeId, credential);
  }

  /**
   * Handles one message of an agent's socket. An unreadable one closes the socket.
   *
   * @param client where the socket's connection comes from; null if unknown
   */
  receive(nodeId: string, parsed: ParsedAgentMessage, client: string | null): void {
    if (!parsed.ok) this.rejectMessage(nodeId, parsed.reason);
    else if (parsed.message.type === "hello") this.hello(nodeId, { ...parsed.message, client });
    else if (parsed.message.type === "report")
      this.report(nodeId, parsed.message.tasks, parsed.message.listeners);
    else if (parsed.message.type === "discovery") this.discovery(nodeId, parsed.message.discovery);
    else if (parsed.message.type === "leaving") this.leaving(nodeId);
    else this.goodbye(nodeId, parsed.message.reason);
  }

  /** Handles a hello. Replies with the node's assignment, or closes the socket if the hello is refused. */
  hello(nodeId: string, input: HelloInput): void {
    this.#changeForNode(nodeId, (draft) => hello(draft, nodeId, input));
  }

  /** Handles a report of tasks and listeners. A refused report closes the socket and changes nothing. */
  report(nodeId: string, tasks: readonly TaskReport[], listeners?: ListenersReport): void {
    this.#changeForNode(nodeId, (draft) => {
      applyReports(draft, nodeId, tasks);
      if (listeners !== undefined) recordListeners(draft, nodeId, listeners);
    });
  }

  /** Handles a report of discovered services. */
  discovery(nodeId: string, report: DiscoveryReport): void {
    this.#changeForNode(nodeId, (draft) => recordDiscovery(draft, nodeId, report));
  }

  leaving(nodeId: string): void {
    this.#changeForNode(nodeId, (draft) => leaving(draft, nodeId));
  }

  goodbye(nodeId: string, reason: string): void {
    this.#changeForNode(nodeId, (draft) => goodbye(draft, nodeId, reason));
  }

  /** Closes the socket of an agent that sent an unreadable message. @param reason what was read */
  rejectMessage(nodeId: string, reason: string): void {
    this.#transactions.change((draft) => {
      const node = draft.world.nodes.get(nodeId);
      if (node) draft.recordEvent(`node ${node.hostname}`, "node.refused", nodeSubject(node), reason);
      draft.close(nodeId, closeCodes.badMessage, reason);
      recordDisconnect(draft, nodeId);
    });
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
      } else this.rejectMessage(nodeId, error.message);
    }
  }
}
