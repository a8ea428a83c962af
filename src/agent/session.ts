// The session: an agent's socket to the registry, redialled for as long as redialling can help.
//
// Each socket begins with a hello, answered by an assignment. The agent pings; a socket without an answer for as long
// as the registry would wait for us is dead, however open it looks. After such a silence (a lost link, a machine that
// slept, a process that was stopped) what was assigned before is stale: the registry has given our tasks to others.
// The session is current again only once a new socket has brought a new assignment.

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

/** After this long without a word the other side is gone, and so are we to it. */
const registryTimeoutMs = heartbeatMs * maxMissedHeartbeats;
const registryHandshakeTimeoutMs = 10_000;
/** A socket that held this long was no failure: the next dial starts the backoff anew. */
const stableSocketMs = 10_000;
/** An assignment of 10,000 tasks is about 5 MiB. */
const maxRegistryMessageBytes = 32 * 1024 * 1024;
/** Frames of one socket that cannot be read and are still logged. */
const maxLoggedFrames = 5;

/** How a socket ended. `status` is that of a refused upgrade. */
export type RegistrySocketEnd = {
  readonly code: number;
  readonly reason: string;
  readonly status?: number;
  readonly lifetimeMs: number;
};

/** Why a session is over: the agent has to act, redialling does not help. */
export type SessionEnd = "closed" | "not-a-member" | "superseded" | "refused";

type ReconnectDecision = { readonly end: SessionEnd } | { readonly redialAfterMs: number };

/**
 * What follows from the end of a socket.
 *
 * @param failures short-lived sockets in a row, this one included
 * @param wasEverOpen whether any socket of this agent was
 */
export function decideReconnect(
  closed: RegistrySocketEnd,
  failures: number,
  wasEverOpen: boolean,
  random: number,
): ReconnectDecision {
  if (closed.code === closeCodes.notAMember || closed.status === 401) return { end: "not-a-member" };
  if (closed.code === closeCodes.superseded) return { end: "superseded" };
  // A request the registry cannot understand. Once it could, so a release is being rolled out or back: tasks go on.
  if ((closed.status === 400 || closed.status === 426) && !wasEverOpen) return { end: "refused" };
  if (closed.code === closeCodes.missedHeartbeats && failures <= 1) return { redialAfterMs: 0 };
  return { redialAfterMs: jitteredBackoffMs(Math.max(1, failures), random) };
}

type SessionOptions = {
  readonly url: string;
  readonly membership: JoinReply;
  /** What to say first on each socket: a hello, and what it left unsaid. */
  readonly greeting: () => readonly AgentMessage[];
  readonly onAssignment: (assignment: Assignment) => void;
  /** The registry wants these tasks probed now. */
  readonly onProbe: (taskIds: readonly string[]) => void;
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
};

/** One agent's standing connection. */
export class Session {
  readonly #options: SessionOptions;
  #socket: WebSocket | null = null;
  /** Last word from the registry that vouches for the assignment we hold, epoch milliseconds. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #wasEverOpen = false;
  #failures = 0;
  /** The last reason logged for a dial that failed; one line each is enough. */
  #lastLogged = "";
  lastRefusal = "";

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Whether the registry was heard lately enough that the assignment we hold is still ours. */
  isCurrent(): boolean {
    return this.#options.nowMs() - this.#confirmedAtMs <= registryTimeoutMs;
  }

  isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a message; false when there is no open socket (the next hello says it all again). */
  send(message: AgentMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Dials and redials until `signal` aborts or the registry says that it will not help. */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    while (!signal.aborted) {
      const closed = await this.#connect(signal);
      if (signal.aborted) break;
      this.#failures = closed.lifetimeMs >= stableSocketMs ? 1 : this.#failures + 1;
      const next = decideReconnect(closed, this.#failures, this.#wasEverOpen, this.#options.random());
      this.#logClose(closed, next);
      if ("end" in next) return next.end;
      await wait(next.redialAfterMs, signal);
    }
    return "closed";
  }

  /** One socket from dial to end. */
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
      // Frames can lie in a socket from before the machine slept: they are as stale as the silence is long.
      if (nowMs() - received.lastMessageAtMs > registryTimeoutMs) return socket.terminate();
      received.lastMessageAtMs = nowMs();
      this.#receive(isBinary ? "(binary)" : data.toString(), received);
    });
    const beat = setInterval(() => {
      if (nowMs() - received.lastMessageAtMs > registryTimeoutMs) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.send("ping");
    }, heartbeatMs);
    socket.once("close", () => clearInterval(beat));
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

  #logClose(closed: RegistrySocketEnd, next: ReconnectDecision): void {
    const { log } = this.#options;
    const how = closed.status === undefined ? `${closed.code}` : `status ${closed.status}`;
    const why = closed.reason === "" ? how : `${how}: ${closed.reason}`;
    this.lastRefusal = why;
    if ("end" in next) return;
    const wasOpen = closed.lifetimeMs > 0;
    const line = wasOpen ? `lost the registry (${why})` : `cannot reach the registry (${why})`;
    if (line !== this.#lastLogged) log(`${line}; tasks go on, redialling`);
    this.#lastLogged = line;
  }
}

/** What one socket has brought so far. */
type ReceiveState = { lastMessageAtMs: number; index: number; unreadableFrames: number };

function readFrame(frame: string): RegistryMessage | null {
  try {
    return RegistryMessage.parse(JSON.parse(frame));
  } catch {
    return null;
  }
}

/** Up to 120 characters of what was read, control characters escaped: it goes into a log. */
function quoted(frame: string): string {
  return JSON.stringify(frame.length > 120 ? `${frame.slice(0, 120)}…` : frame);
}

/** Closes a socket in order, deaf from here on, and cuts it when the other side does not answer. */
function closeSocket(socket: WebSocket): void {
  socket.removeAllListeners("message");
  if (socket.readyState === WebSocket.CONNECTING) {
    socket.terminate();
    return;
  }
  socket.close(1000);
  const cut = setTimeout(() => socket.terminate(), 1_000);
  socket.once("close", () => clearTimeout(cut));
}

/** The start of a refusal's body: its `message` where it is JSON. */
function readRefusalText(response: NodeJS.ReadableStream, done: (text: string) => void): void {
  let text = "";
  const finish = () => {
    try {
      text = String((JSON.parse(text) as { message?: unknown }).message ?? text);
    } catch {
      // Not JSON: taken as it is.
    }
    done(text.slice(0, 300));
  };
  response.on("data", (chunk: Buffer) => {
    if (text.length < 4_096) text += chunk.toString();
  });
  response.once("end", finish);
  response.once("error", finish);
}
