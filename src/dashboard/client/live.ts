// Keeps an open page true. A socket rings when something changed; then the page is read again and its parts that differ
// take the place of the old ones. The server alone knows how things look: nothing is drawn here.

import { formatAgo, formatDuration } from "../text.ts";
import { EventSocket } from "./event-socket.ts";
import { swapParts } from "./parts.ts";

/** At most one reading in this time, however much happens. Milliseconds. */
const minRefreshMs = 1_000;
/** Numbers move without an event to tell of it: read again after this long all the same. */
const idleRefreshMs = 5_000;
/** Without a socket, on average. */
const socketlessRefreshMs = 5_000;
/** What is shown is called stale when it is older than this: readings fail, or do not come back. */
const stalePageMs = 30_000;

const { live, now, seq } = document.body.dataset;

if (live !== undefined) start(live, Number(now), Number(seq));

function start(path: string, serverNowMs: number, seq: number): void {
  /** What the mesh's clock is ahead of this one. */
  let skewMs = serverNowMs - Date.now();
  let readAtMs = Date.now();
  let reading = false;
  let failure = "";
  let timer: ReturnType<typeof setTimeout> | undefined;

  const bell = new EventSocket(path, seq, {
    onEvent: () => readWithin(Math.max(150, minRefreshMs - (Date.now() - readAtMs))),
    onConnectionChange: () => showFreshness(),
  });

  function readWithin(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void read(), ms);
  }

  async function read(): Promise<void> {
    if (reading) return readWithin(minRefreshMs);
    if (document.hidden) return readWithin(idleRefreshMs);
    reading = true;
    try {
      const page = await fetchPage();
      if (page === null) return;
      swapParts(page);
      const { now, seq } = page.body.dataset;
      skewMs = Number(now) - Date.now();
      bell.markSeen(Number(seq));
      readAtMs = Date.now();
      failure = "";
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    } finally {
      reading = false;
      showFreshness();
      readWithin(bell.isOpen ? idleRefreshMs : socketlessRefreshMs * (0.75 + Math.random() / 2));
    }
  }

  function showFreshness(): void {
    const ageMs = Date.now() - readAtMs;
    const state = ageMs > stalePageMs || failure !== "" ? "stale" : bell.isOpen ? "live" : "polling";
    const words = {
      live: "Live",
      polling: `Reading every ${socketlessRefreshMs / 1_000} s`,
      stale: `Stale: read ${formatDuration(ageMs)} ago; trying again${failure === "" ? "" : ` (${failure})`}`,
    }[state];
    const line = document.getElementById("freshness");
    const text = document.getElementById("freshness-text");
    if (line === null || text === null) return;
    line.dataset.state = state;
    if (text.textContent !== words) text.textContent = words;
  }

  function tick(): void {
    const meshNowMs = Date.now() + skewMs;
    for (const time of document.querySelectorAll<HTMLElement>("[data-ago]")) {
      setText(time, formatAgo(meshNowMs - Number(time.dataset.ago)));
    }
    for (const time of document.querySelectorAll<HTMLElement>("[data-for]")) {
      setText(time, formatDuration(meshNowMs - Number(time.dataset.for)));
    }
    showFreshness();
  }

  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    bell.reconnectNow();
    readWithin(0);
  });
  readWithin(idleRefreshMs);
  showFreshness();
}

/** This page as it is now; null when the browser is on its way to another one. */
async function fetchPage(): Promise<Document | null> {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (response.redirected && new URL(response.url).pathname !== location.pathname) {
    // The session has ended: sign in, and come back.
    location.assign(response.url);
    return null;
  }
  // What the page was about is gone: the page that says so.
  if (response.status === 404) {
    location.reload();
    return null;
  }
  if (!response.ok) throw new Error(`the mesh answered ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
