// The event socket: a WebSocket on which the registry reports changes. It reconnects by itself and continues
// after the last event seen.

/** Between pings, milliseconds; the registry object answers them while it hibernates. */
const pageSocketPingMs = 20_000;
/** The first and the longest delay before a reconnect, milliseconds. */
const minPageSocketRetryMs = 1_000;
const maxPageSocketRetryMs = 30_000;

type EventSocketHandlers = {
  /** The mesh may have changed. */
  readonly onEvent: () => void;
  /** The socket opened or closed. */
  readonly onConnectionChange: () => void;
};

export class EventSocket {
  readonly #path: string;
  readonly #handlers: EventSocketHandlers;
  #seq: number;
  #tableVersion: number | null = null;
  #socket: WebSocket | null = null;
  #isOpen = false;
  #failures = 0;
  /** The last ping was answered. */
  #isAnswered = true;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, seq: number, handlers: EventSocketHandlers) {
    this.#path = path;
    this.#seq = seq;
    this.#handlers = handlers;
    this.#connect();
    setInterval(() => this.#ping(), pageSocketPingMs);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The page shows all events up to this one. */
  markSeen(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Skips the delay before the next reconnect. */
  reconnectNow(): void {
    if (this.#socket === null) this.#connect();
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("since", String(this.#seq));
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#isOpen = true;
      this.#isAnswered = true;
      this.#failures = 0;
      this.#handlers.onConnectionChange();
    });
    socket.addEventListener("message", ({ data }) => this.#receive(String(data)));
    socket.addEventListener("close", () => this.#onClose(socket));
  }

  #receive(text: string): void {
    this.#isAnswered = true;
    if (text === "pong") return;
    const message = JSON.parse(text) as { type: string; version?: number; event?: { seq: number } };
    if (message.type === "event" && message.event !== undefined) {
      if (message.event.seq <= this.#seq) return;
      this.#seq = message.event.seq;
      this.#handlers.onEvent();
    } else if (message.type === "table" && message.version !== undefined) {
      const isChanged = this.#tableVersion !== null && this.#tableVersion !== message.version;
      this.#tableVersion = message.version;
      if (isChanged) this.#handlers.onEvent();
    }
  }

  /** Reconnects after a doubling delay with jitter: a registry that moves drops the sockets of all pages. */
  #onClose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#isOpen = false;
    const delayMs =
      Math.min(maxPageSocketRetryMs, minPageSocketRetryMs * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#handlers.onConnectionChange();
    // The session may have ended; a refresh of the page finds out.
    this.#handlers.onEvent();
  }

  #ping(): void {
    if (this.#socket === null || !this.#isOpen) return;
    // A dead connection may never send a close event.
    if (!this.#isAnswered) {
      this.#socket.close();
      this.#onClose(this.#socket);
      return;
    }
    this.#isAnswered = false;
    this.#socket.send("ping");
  }
}
