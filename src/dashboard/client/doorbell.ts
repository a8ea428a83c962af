// The doorbell: one socket to the registry, by which it says that something changed. It comes back by itself after it
// was lost, from the last event seen.

/** Between pings, milliseconds; the registry object answers them asleep. */
const pingMs = 20_000;
/** First and longest wait before another try, milliseconds. */
const firstWaitMs = 1_000;
const longestWaitMs = 30_000;

type Ears = {
  /** Something changed. */
  readonly rings: () => void;
  /** The socket opened or was lost. */
  readonly changes: () => void;
};

export class Doorbell {
  readonly #path: string;
  readonly #ears: Ears;
  #seq: number;
  #table: number | null = null;
  #socket: WebSocket | null = null;
  #isOpen = false;
  #failures = 0;
  #answered = true;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, seq: number, ears: Ears) {
    this.#path = path;
    this.#seq = seq;
    this.#ears = ears;
    this.#dial();
    setInterval(() => this.#ping(), pingMs);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The page knows the events up to this one. */
  seen(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Dials at once when it waits to. */
  tryNow(): void {
    if (this.#socket === null) this.#dial();
  }

  #dial(): void {
    clearTimeout(this.#retry);
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("since", String(this.#seq));
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#isOpen = true;
      this.#answered = true;
      this.#failures = 0;
      this.#ears.changes();
    });
    socket.addEventListener("message", ({ data }) => this.#hear(String(data)));
    socket.addEventListener("close", () => this.#lost(socket));
  }

  #hear(text: string): void {
    this.#answered = true;
    if (text === "pong") return;
    const frame = JSON.parse(text) as { type: string; version?: number; event?: { seq: number } };
    if (frame.type === "event" && frame.event !== undefined) {
      if (frame.event.seq <= this.#seq) return;
      this.#seq = frame.event.seq;
      this.#ears.rings();
    } else if (frame.type === "table" && frame.version !== undefined) {
      const changed = this.#table !== null && this.#table !== frame.version;
      this.#table = frame.version;
      if (changed) this.#ears.rings();
    }
  }

  /** Doubling with jitter: everybody loses the socket at once when the registry moves. */
  #lost(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#isOpen = false;
    const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#dial(), waitMs);
    this.#ears.changes();
    // The session may have ended, which reading the page finds out.
    this.#ears.rings();
  }

  #ping(): void {
    if (this.#socket === null || !this.#isOpen) return;
    // A connection can be dead without a word.
    if (!this.#answered) {
      this.#socket.close();
      this.#lost(this.#socket);
      return;
    }
    this.#answered = false;
    this.#socket.send("ping");
  }
}
