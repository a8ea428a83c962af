// The session: an agent's WebSocket to the registry, reconnected until the registry refuses the agent.
//
// On each socket the agent sends a hello first, and the registry replies with an assignment. The agent sends
// pings. If the registry is silent for as long as it would wait for an agent, the socket is dead. After such
// a silence (a lost connection, a machine that slept, a stopped process) the assignment is stale, because the
// registry has moved the tasks to other nodes. The next assignment on a new socket makes the session current
// again.

import WebSocket from "ws";
import {
  type AgentMessage,
  type Assignment,
  closeCodes,
  heartbeatMs,
  type JoinReply,
  maxMissedHeartbeats,
  protocolVersion,
  RegistryMessage,
} from "../protocol/agent.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import { routeUrl } from "./join.ts";
import { wait } from "./wait.ts";

/** Without a message for this long, each side considers the other gone. */
const registryTimeoutMs = heartbeatMs * maxMissedHeartbeats;
const registryHandshakeTimeoutMs = 10_000;
/** A socket that was open for this long did not fail: its end restarts the backoff. */
const stableSocketMs = 10_000;
/** Limit of one message. An assignment of 10,000 tasks is about 5 MiB. */
const maxRegistryMessageBytes = 32 * 1024 * 1024;
/** Number of unreadable frames of one socket that are logged. */
const maxLoggedFrames = 5;

/** The end of a socket. `status` is the HTTP status of a refused upgrade. */
export type RegistrySocketEnd = {
  readonly code: number;
  readonly reason: string;
  readonly status?: number;
  readonly lifetimeMs: number;
};

/** The reason why a session ended. Except for `closed`, reconnecting does not help. */
export type SessionEnd = "closed" | "not-a-member" | "superseded" | "refused";

type ReconnectDecision = { readonly end: SessionEnd } | { readonly redialAfterMs: number };

/**
 * Decides whether and when to reconnect after a socket has ended.
 *
 * @param failures short-lived sockets in a row, including this one
 * @param wasEverOpen whether any socket of this session was open
 */
export function decideReconnect(
  closed: RegistrySocketEnd,
  failures: number,
  wasEverOpen: boolean,
  random: number,
): ReconnectDecision {
  if (closed.code === closeCodes.notAMember || closed.status === 401) return { end: "not-a-member" };
  if (closed.code === closeCodes.superseded) return { end: "superseded" };
  // The registry does not support this agent. If it did before, a deployment is in progress: reconnect.
  if ((closed.status === 400 || closed.status === 426) && !wasEverOpen) return { end: "refused" };
  if (closed.code === closeCodes.missedHeartbeats && failures <= 1) return { redialAfterMs: 0 };
  return { redialAfterMs: jitteredBackoffMs(Math.max(1, failures), random) };
}

type SessionOptions = {
  readonly url: string;
  readonly membership: JoinReply;
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
  #socket: WebSocket | null = null;
  /** When the registry last confirmed the assignment, epoch milliseconds. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #wasEverOpen = false;
  #failures = 0;
  /** The last line logged for a lost or failed connection; it is not repeated. */
  #lastLogged = "";
  /** Why the last socket ended, for messages. */
  lastRefusal = "";

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * True if the registry confirmed the assignment recently enough that its tasks still belong to this node. A
   * confirmation that lies ahead, because the clock was set back, does not count: its age is unknown.
   */
  isCurrent(): boolean {
    const ageMs = this.#options.nowMs() - this.#confirmedAtMs;
    return ageMs >= 0 && ageMs <= registryTimeoutMs;
  }

  isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a message; false without an open socket (the next hello carries everything). */
  send(message: AgentMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Connects and reconnects until `signal` aborts or reconnecting does not help. */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    while (!signal.aborted) {
      const closed = await this.#connect(signal);
      if (signal.aborted) break;
      this.#failures = closed.lifetimeMs >= stableSocketMs ? 1 : this.#failures + 1;
      const decision = decideReconnect(closed, this.#failures, this.#wasEverOpen, this.#options.random());
      this.#logClose(closed, decision);
      if ("end" in decision) return decision.end;
      await wait(decision.redialAfterMs, signal);
    }
    return "closed";
  }

  /** Runs one socket from the connection attempt to its end. */
  #connect(signal: AbortSignal): Promise<RegistrySocketEnd> {
    const { nowMs } = this.#options;
    const socket = this.#dial();
    this.#socket = socket;
    let openedAtMs: number | null = null;
    let failure = "";
    let status: number | undefined;
    return new Promise((resolve) => {
      const close = () => closeSocket(socket);
      signal.addEventListener("abort", close, { once: true });
      socket.once("open", () => {
        openedAtMs = nowMs();
        this.#onOpen(socket, openedAtMs);
      });
      socket.once("unexpected-response", (_request, response) => {
        status = response.statusCode;
        readRefusalText(response, (text) => {
          failure = text;
          socket.terminate();
        });
      });
      socket.on("error", (error) => {
        failure ||= error.message || String((error as NodeJS.ErrnoException).code);
      });
      socket.once("close", (code, reason) => {
        signal.removeEventListener("abort", close);
        const lifetimeMs = openedAtMs === null ? 0 : nowMs() - openedAtMs;
        const closed = { code, reason: reason.toString() || failure, lifetimeMs };
        resolve(status === undefined ? closed : { ...closed, status });
      });
    });
  }

  #dial(): WebSocket {
    const { url, membership } = this.#options;
    const target = routeUrl(url, "mesh/agent");
    target.protocol = target.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(target, {
      headers: {
        authorization: `Bearer ${membership.credential}`,
        "x-waggle-node": membership.nodeId,
        "x-waggle-protocol": String(protocolVersion),
      },
      handshakeTimeout: registryHandshakeTimeoutMs,
      maxPayload: maxRegistryMessageBytes,
      perMessageDeflate: false,
    });
  }

  #onOpen(socket: WebSocket, openedAtMs: number): void {
    const { log, nowMs, greeting } = this.#options;
    const received: ReceiveState = { lastMessageAtMs: openedAtMs, index: -1, unreadableFrames: 0 };
    this.#wasEverOpen = true;
    this.#lastLogged = "";
    log("connected to the registry");
    socket.on("message", (data, isBinary) => {
      // After a silence the socket may hold frames from before the machine slept. They are stale.
      if (nowMs() - received.lastMessageAtMs > registryTimeoutMs) return socket.terminate();
      received.lastMessageAtMs = nowMs();
      this.#receive(isBinary ? "(binary)" : data.toString(), received);
    });
    const heartbeat = setInterval(() => {
      // After the clock was set back, the last message counts as one of now.
      received.lastMessageAtMs = Math.min(received.lastMessageAtMs, nowMs());
      if (nowMs() - received.lastMessageAtMs > registryTimeoutMs) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.send("ping");
    }, heartbeatMs);
    socket.once("close", () => clearInterval(heartbeat));
    for (const message of greeting()) socket.send(JSON.stringify(message));
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
    onAssignment(message);
  }

  #logClose(closed: RegistrySocketEnd, decision: ReconnectDecision): void {
    const { log } = this.#options;
    const code = closed.status === undefined ? `${closed.code}` : `status ${closed.status}`;
    const reason = closed.reason === "" ? code : `${code}: ${closed.reason}`;
    this.lastRefusal = reason;
    if ("end" in decision) return;
    const wasOpen = closed.lifetimeMs > 0;
    const line = wasOpen
      ? `lost the connection to the registry (${reason})`
      : `cannot reach the registry (${reason})`;
    if (line !== this.#lastLogged) log(`${line}; tasks keep running, reconnecting`);
    this.#lastLogged = line;
  }
}

/** What one socket has received so far. */
type ReceiveState = { lastMessageAtMs: number; index: number; unreadableFrames: number };

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

/**
 * Closes a socket and ignores further messages. Terminates it if the other side does not complete the close.
 */
function closeSocket(socket: WebSocket): void {
  socket.removeAllListeners("message");
  if (socket.readyState === WebSocket.CONNECTING) {
    socket.terminate();
    return;
  }
  socket.close(1000);
  const closeTimer = setTimeout(() => socket.terminate(), 1_000);
  socket.once("close", () => clearTimeout(closeTimer));
}

/** Reads the start of a refusal's body: its `message` if the body is JSON. */
function readRefusalText(response: NodeJS.ReadableStream, done: (text: string) => void): void {
  let text = "";
  const finish = () => {
    try {
      text = String((JSON.parse(text) as { message?: unknown }).message ?? text);
    } catch {
      // Not JSON: the text itself is the reason.
    }
    done(text.slice(0, 300));
  };
  response.on("data", (chunk: Buffer) => {
    if (text.length < 4_096) text += chunk.toString();
  });
  response.once("end", finish);
  response.once("error", finish);
}
