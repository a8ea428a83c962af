// An agent's WebSocket to the control API, reconnected until the mesh refuses the agent. The agent sends pings.
// If the other side is silent for as long as it would wait for an agent, the socket is dead.

import WebSocket, { type RawData } from "ws";
import {
  closeCodes,
  heartbeatMs,
  type JoinReply,
  maxMissedHeartbeats,
  protocolVersion,
} from "../protocol/agent.ts";
import { joinTokenHeader } from "../protocol/agent-upgrade.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import { routeUrl } from "./join.ts";
import { wait } from "./wait.ts";

/** Without a message for this long, each side considers the other gone. */
export const silenceTimeoutMs = heartbeatMs * maxMissedHeartbeats;
const handshakeTimeoutMs = 10_000;
/** A socket that was open for this long did not fail: its end restarts the backoff. */
const stableSocketMs = 10_000;

/** The end of a socket. `status` is the HTTP status of a refused upgrade. */
export type ControlSocketEnd = {
  readonly code: number;
  readonly reason: string;
  readonly status?: number;
  readonly lifetimeMs: number;
};

/** The reason why a session ended. Except for `closed`, reconnecting does not help. */
export type SessionEnd = "closed" | "removed" | "not-a-member" | "superseded" | "refused";

type ReconnectDecision = { readonly end: SessionEnd } | { readonly redialAfterMs: number };

/**
 * Decides whether and when to reconnect after a socket has ended.
 *
 * @param failures short-lived sockets in a row, including this one
 * @param wasEverOpen whether any socket of this agent's run was open
 * @param windowMs how long the agents of the mesh take to redial together
 */
export function decideReconnect(
  closed: ControlSocketEnd,
  failures: number,
  wasEverOpen: boolean,
  random: number,
  windowMs = 0,
): ReconnectDecision {
  if (closed.code === closeCodes.notAMember) return { end: "removed" };
  if (closed.status === 401) return { end: "not-a-member" };
  if (closed.code === closeCodes.superseded) return { end: "superseded" };
  // The registry does not support this agent. If it did before, a deployment is in progress: reconnect.
  if ((closed.status === 400 || closed.status === 426) && !wasEverOpen) return { end: "refused" };
  if (closed.code === closeCodes.missedHeartbeats && failures <= 1) return { redialAfterMs: 0 };
  return { redialAfterMs: jitteredBackoffMs(Math.max(1, failures), random, windowMs) };
}

type ControlSocketOptions = {
  /** The control URL. */
  readonly url: string;
  readonly route: "mesh/agent" | "mesh/tunnel";
  readonly membership: JoinReply;
  /** With it the node joins again if a mesh is new, and does not wait for a restore. */
  readonly joinToken?: string | undefined;
  /** Limit of one message. */
  readonly maxMessageBytes: number;
  /** A new socket is open. */
  readonly onOpen: (socket: WebSocket) => void;
  /** A message arrived, the replies to pings included. */
  readonly onMessage: (data: RawData, isBinary: boolean) => void;
  /** Words for the log. */
  readonly words: {
    /** The name of the other side: "the registry". */
    readonly peer: string;
    /** What the loss of the socket means: "tasks keep running, reconnecting". */
    readonly consequence: string;
  };
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** How long the agents of the mesh take to redial together, milliseconds. Absent: no longer than the backoff. */
  readonly redialMs?: () => number;
};

export class ControlSocket {
  readonly #options: ControlSocketOptions;
  #socket: WebSocket | null = null;
  #wasEverOpen = false;
  #failures = 0;
  /** The last line logged for a lost or failed connection; it is not repeated. */
  #lastLogged = "";
  /** Why the last socket ended, for messages. */
  lastRefusal = "";

  constructor(options: ControlSocketOptions) {
    this.#options = options;
  }

  /** Sends a message; false without an open socket. */
  send(text: string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** Connects and reconnects until `signal` aborts or reconnecting does not help. */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    while (!signal.aborted) {
      const closed = await this.#connect(signal);
      if (signal.aborted) break;
      this.#failures = closed.lifetimeMs >= stableSocketMs ? 1 : this.#failures + 1;
      const { random, redialMs } = this.#options;
      const windowMs = redialMs?.() ?? 0;
      const decision = decideReconnect(closed, this.#failures, this.#wasEverOpen, random(), windowMs);
      this.#logClose(closed, decision);
      if ("end" in decision) return decision.end;
      await wait(decision.redialAfterMs, signal);
    }
    return "closed";
  }

  /** Runs one socket from the connection attempt to its end. */
  #connect(signal: AbortSignal): Promise<ControlSocketEnd> {
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
    const { url, route, membership, joinToken, maxMessageBytes } = this.#options;
    const target = routeUrl(url, route);
    target.protocol = target.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(target, {
      headers: {
        authorization: `Bearer ${membership.credential}`,
        "x-waggle-node": membership.nodeId,
        "x-waggle-protocol": String(protocolVersion),
        ...(joinToken !== undefined && { [joinTokenHeader]: joinToken }),
      },
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
    });
  }

  #onOpen(socket: WebSocket, openedAtMs: number): void {
    const { log, nowMs, words, onOpen, onMessage } = this.#options;
    let lastMessageAtMs = openedAtMs;
    this.#wasEverOpen = true;
    this.#lastLogged = "";
    log(`connected to ${words.peer}`);
    socket.on("message", (data, isBinary) => {
      // After a silence the socket may hold frames from before the machine slept. They are stale.
      if (nowMs() - lastMessageAtMs > silenceTimeoutMs) return socket.terminate();
      lastMessageAtMs = nowMs();
      onMessage(data, isBinary);
    });
    const heartbeat = setInterval(() => {
      // After the clock was set back, the last message counts as one of now.
      lastMessageAtMs = Math.min(lastMessageAtMs, nowMs());
      if (nowMs() - lastMessageAtMs > silenceTimeoutMs) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.send("ping");
    }, heartbeatMs);
    socket.once("close", () => clearInterval(heartbeat));
    onOpen(socket);
  }

  #logClose(closed: ControlSocketEnd, decision: ReconnectDecision): void {
    const { log, words } = this.#options;
    const code = closed.status === undefined ? `${closed.code}` : `status ${closed.status}`;
    const reason = closed.reason === "" ? code : `${code}: ${closed.reason}`;
    this.lastRefusal = reason;
    if ("end" in decision) return;
    const wasOpen = closed.lifetimeMs > 0;
    const line = wasOpen
      ? `lost the connection to ${words.peer} (${reason})`
      : `cannot reach ${words.peer} (${reason})`;
    if (line !== this.#lastLogged) log(`${line}; ${words.consequence}`);
    this.#lastLogged = line;
  }
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
