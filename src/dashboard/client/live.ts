// Keeps an open page current. When the event socket reports a change, the page is fetched again and the parts
// that differ are replaced. All rendering happens on the server.

import { formatAgo, formatDuration } from "../text.ts";
import { EventSocket } from "./event-socket.ts";
import { startLogPane } from "./logs.ts";
import { swapParts } from "./parts.ts";

/** At most one refresh in this time, however many events arrive. Milliseconds. */
const minRefreshMs = 1_000;
/** After an event, so that events of one change share a refresh. Milliseconds. */
const eventDelayMs = 150;
/** Traffic numbers change without events, so an open page also refreshes after this time. Milliseconds. */
const idleRefreshMs = 5_000;
/** While the page shows aged traffic numbers. Routers report within two seconds after it was opened. Milliseconds. */
const agedRefreshMs = 2_500;
/** Average time between refreshes without a socket. Milliseconds. */
const socketlessRefreshMs = 5_000;
/** A page older than this is marked as stale: refreshes fail or hang. Milliseconds. */
const stalePageMs = 30_000;
const tickMs = 1_000;

class LivePage {
  readonly #socket: EventSocket;
  /** The mesh's clock minus the browser's. */
  #skewMs: number;
  #refreshedAtMs = Date.now();
  #isRefreshing = false;
  /** Why the last refresh failed; empty if it did not. */
  #failure = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socketPath: string, meshNowMs: number, seq: number) {
    this.#skewMs = meshNowMs - Date.now();
    this.#socket = new EventSocket(socketPath, seq, {
      onEvent: () =>
        this.#refreshIn(Math.max(eventDelayMs, minRefreshMs - (Date.now() - this.#refreshedAtMs))),
      onConnectionChange: () => this.#showFreshness(),
    });
    setInterval(() => this.#tick(), tickMs);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#socket.reconnectNow();
      this.#refreshIn(0);
    });
    this.#refreshIn(nextRefreshMs());
    this.#showFreshness();
  }

  #refreshIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), ms);
  }

  async #refresh(): Promise<void> {
    if (this.#isRefreshing) return this.#refreshIn(minRefreshMs);
    if (document.hidden) return this.#refreshIn(idleRefreshMs);
    this.#isRefreshing = true;
    try {
      const page = await fetchPage();
      if (page === null) return;
      swapParts(page);
      const { now, seq } = page.body.dataset;
      this.#skewMs = Number(now) - Date.now();
      this.#socket.markSeen(Number(seq));
      this.#refreshedAtMs = Date.now();
      this.#failure = "";
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    } finally {
      this.#isRefreshing = false;
      this.#showFreshness();
      const jitter = 0.75 + Math.random() / 2;
      this.#refreshIn(this.#socket.isOpen ? nextRefreshMs() : socketlessRefreshMs * jitter);
    }
  }

  #showFreshness(): void {
    const line = document.getElementById("freshness");
    const text = document.getElementById("freshness-text");
    if (line === null || text === null) return;
    const ageMs = Date.now() - this.#refreshedAtMs;
    const isStale = ageMs > stalePageMs || this.#failure !== "";
    const state = isStale ? "stale" : this.#socket.isOpen ? "live" : "polling";
    line.dataset.state = state;
    setText(text, freshnessText(state, ageMs, this.#failure));
  }

  /** Advances the ages and durations on the page. */
  #tick(): void {
    const meshNowMs = Date.now() + this.#skewMs;
    for (const time of document.querySelectorAll<HTMLElement>("[data-ago]")) {
      setText(time, formatAgo(meshNowMs - Number(time.dataset.ago)));
    }
    for (const time of document.querySelectorAll<HTMLElement>("[data-since]")) {
      setText(time, formatDuration(meshNowMs - Number(time.dataset.since)));
    }
    this.#showFreshness();
  }
}

function freshnessText(state: "live" | "polling" | "stale", ageMs: number, failure: string): string {
  const reason = failure === "" ? "" : ` (${failure})`;
  return {
    live: "Live",
    polling: `Refreshes every ${socketlessRefreshMs / 1_000} s`,
    stale: `Stale: data is ${formatDuration(ageMs)} old; trying again${reason}`,
  }[state];
}

function nextRefreshMs(): number {
  return document.querySelector("[data-aged]") === null ? idleRefreshMs : agedRefreshMs;
}

/** The current version of this page. Null if the browser navigates to another page instead. */
async function fetchPage(): Promise<Document | null> {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (response.redirected && new URL(response.url).pathname !== location.pathname) {
    // The session has ended. The sign-in page leads back here.
    location.assign(response.url);
    return null;
  }
  // The subject of the page was removed; the reloaded page says so.
  if (response.status === 404) {
    location.reload();
    return null;
  }
  if (!response.ok) throw new Error(`the mesh responded with ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Assigns only a different text, because an assignment makes the browser lay the element out again. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const { live, now, seq } = document.body.dataset;
if (live !== undefined) new LivePage(live, Number(now), Number(seq));
startLogPane();
