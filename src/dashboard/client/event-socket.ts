// The doorbell: one socket to the registry, by which it says that something changed. It comes back by itself after it
// was lost, from the last event seen.

/** Between pings, milliseconds; the registry object answers them asleep. */
const pageSocketPingMs = 20_000;
/** First and longest wait before another try, milliseconds. */
const minPageSocketRetryMs = 1_000;
const maxPageSocketRetryMs = 30_000;

type EventSocketHandlers = {
  /** Something changed. */
  readonly onEvent: () => void;
  /** The socket opened or was lost. */
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
  #isAnswered = true;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, seq: number, ears: EventSocketHandlers) {
    this.#path = path;
    this.#seq = seq;
    this.#handlers = ears;
    this.#connect();
    setInterval(() => this.#ping(), pageSocketPingMs);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The page knows the events up to this one. */
  markSeen(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Dials at once when it waits to. */
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
    const frame = JSON.parse(text) as { type: string; version?: number; event?: { seq: number } };
    if (frame.type === "event" && frame.event !== undefined) {
      if (frame.event.seq <= this.#seq) return;
      this.#seq = frame.event.seq;
      this.#handlers.onEvent();
    } else if (frame.type === "table" && frame.version !== undefined) {
      const changed = this.#tableVersion !== null && this.#tableVersion !== frame.version;
      this.#tableVersion = frame.version;
      if (changed) this.#handlers.onEvent();
    }
  }

  /** Doubling with jitter: everybody loses the socket at once when the registry moves. */
  #onClose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#isOpen = false;
    const waitMs =
      Math.min(maxPageSocketRetryMs, minPageSocketRetryMs * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), waitMs);
    this.#handlers.onConnectionChange();
    // The session may have ended, which reading the page finds out.
    this.#handlers.onEvent();
  }

  #ping(): void {
    if (this.#socket === null || !this.#isOpen) return;
    // A connection can be dead without a word.
    if (!this.#isAnswered) {
      this.#socket.close();
      this.#onClose(this.#socket);
      return;
    }
    this.#isAnswered = false;
    this.#socket.send("ping");
  }
}
