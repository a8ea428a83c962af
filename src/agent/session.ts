// The session: an agent's WebSocket to the registry, reconnected until the registry refuses the agent.
//
// On each socket the agent sends a hello first, and the registry replies with an assignment. After a silence
// (a lost connection, a machine that slept, a stopped process) the assignment is stale, because the registry
// has moved the tasks to other nodes. The next assignment on a new socket makes the session current again.

import { type AgentMessage, type Assignment, type JoinReply, RegistryMessage } from "../protocol/agent.ts";
import { ControlSocket, type SessionEnd, silenceTimeoutMs } from "./control-socket.ts";

/** Limit of one message. An assignment of 10,000 tasks is about 5 MiB. */
const maxRegistryMessageBytes = 32 * 1024 * 1024;
/** Number of unreadable frames of one socket that are logged. */
const maxLoggedFrames = 5;

type SessionOptions = {
  readonly url: string;
  readonly membership: JoinReply;
  /** The join token that the agent was started with. */
  readonly joinToken: string | undefined;
  /** The first messages on each socket: a hello and what belongs with it. */
  readonly greeting: () => readonly AgentMessage[];
  readonly onAssignment: (assignment: Assignment) => void;
  /** The registry requests a probe of these tasks now. */
  readonly onProbe: (taskIds: readonly string[]) => void;
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
};

export class Session {
  readonly #options: SessionOptions;
  readonly #socket: ControlSocket;
  /** When the registry last confirmed the assignment, epoch milliseconds. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  /** As the last assignment said. */
  #redialMs = 0;
  #received: ReceiveState = { index: -1, unreadableFrames: 0 };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = new ControlSocket({
      ...options,
      route: "mesh/agent",
      maxMessageBytes: maxRegistryMessageBytes,
      redialMs: () => this.#redialMs,
      words: { peer: "the registry", consequence: "tasks keep running, reconnecting" },
      onOpen: () => {
        this.#received = { index: -1, unreadableFrames: 0 };
        for (const message of options.greeting()) this.send(message);
      },
      onMessage: (data, isBinary) => this.#receive(isBinary ? "(binary)" : data.toString(), this.#received),
    });
  }

  /**
   * True if the registry confirmed the assignment recently enough that its tasks still belong to this node. A
   * confirmation that lies ahead, because the clock was set back, does not count: its age is unknown.
   */
  isCurrent(): boolean {
    const ageMs = this.#options.nowMs() - this.#confirmedAtMs;
    return ageMs >= 0 && ageMs <= silenceTimeoutMs;
  }

  /** Why the last socket ended, for messages. */
  get lastRefusal(): string {
    return this.#socket.lastRefusal;
  }

  /** Sends a message; false without an open socket (the next hello carries everything). */
  send(message: AgentMessage): boolean {
    return this.#socket.send(JSON.stringify(message));
  }

  /** Connects and reconnects until `signal` aborts or reconnecting does not help. */
  run(signal: AbortSignal): Promise<SessionEnd> {
    return this.#socket.run(signal);
  }

  #receive(frame: string, received: ReceiveState): void {
    const { nowMs, log, onAssignment, onProbe } = this.#options;
    if (frame === "pong") {
      if (received.index >= 0) this.#confirmedAtMs = nowMs();
      return;
    }
    const message = readFrame(frame);
    if (message === null) {
      if (received.unreadableFrames++ < maxLoggedFrames)
        log(`ignored a frame that cannot be read: ${quoted(frame)}`);
      return;
    }
    if (message.type === "probe") {
      onProbe(message.taskIds);
      return;
    }
    if (message.index <= received.index) return;
    received.index = message.index;
    this.#confirmedAtMs = nowMs();
    this.#redialMs = message.redialMs ?? 0;
    onAssignment(message);
  }
}

/** What one socket has received so far. */
type ReceiveState = { index: number; unreadableFrames: number };

function readFrame(frame: string): RegistryMessage | null {
  try {
    return RegistryMessage.parse(JSON.parse(frame));
  } catch {
    return null;
  }
}

/** The first 120 characters of a frame, with control characters escaped for the log. */
function quoted(frame: string): string {
  return JSON.stringify(frame.length > 120 ? `${frame.slice(0, 120)}…` : frame);
}
