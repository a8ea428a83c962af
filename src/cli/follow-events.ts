// Following the mesh's events over the watch socket: every event once and in order, whatever happens to the socket.

import type { WebSocket } from "ws";
import type { WatchFrame } from "../protocol/watch.ts";
import type { Cli } from "./cli.ts";
import { authorizationHeaders, tokenRefused, unreachable } from "./client.ts";
import type { MeshTarget } from "./context.ts";
import { type CliError, exitCodes } from "./errors.ts";
import { parseJson } from "./json.ts";

export type WatchedEvent = Extract<WatchFrame, { type: "event" }>["event"];

/** Waits between dials, milliseconds; each doubles up to the longest, less a random part. */
const firstRedialMs = 250;
const maxRedialMs = 10_000;

/** A dial that opens no socket in this time is given up. */
const watchOpenTimeoutMs = 10_000;

/** The mesh answers a ping without waking up; a socket silent for three of them is dead, however open it looks. */
const watchPingMs = 5_000;
const watchTimeoutMs = 3 * watchPingMs;

/**
 * Calls `onEvent` for every event after `sinceSeq` until the signal aborts. A socket that breaks is dialled again
 * from the last event seen.
 *
 * @throws exit code 3 when the first dial finds no mesh, 4 when the token is refused
 */
export async function followEvents(
  cli: Cli,
  target: MeshTarget,
  sinceSeq: number,
  onEvent: (event: WatchedEvent) => void,
  stop: AbortSignal,
): Promise<void> {
  let seq = sinceSeq;
  let waitMs = firstRedialMs;
  let everOpened = false;
  while (!stop.aborted) {
    const end = await watchOnce(cli, target, seq, stop, (event) => {
      // What is repeated after a new dial was seen already.
      if (event.seq <= seq) return;
      seq = event.seq;
      onEvent(event);
    });
    if (stop.aborted) return;
    everOpened ||= end.wasOpened;
    if (end.error !== null && (!everOpened || end.error.exitCode === exitCodes.token)) throw end.error;
    waitMs = end.wasOpened ? firstRedialMs : Math.min(maxRedialMs, waitMs * 2);
    await cli.sleep(waitMs * (0.5 + cli.random() / 2), stop);
  }
}

/** How one socket's life went: whether it opened, and why it never did. */
type WatchEnd = { readonly wasOpened: boolean; readonly error: CliError | null };

/** One socket, from dial to close. */
async function watchOnce(
  cli: Cli,
  target: MeshTarget,
  sinceSeq: number,
  stop: AbortSignal,
  onEvent: (event: WatchedEvent) => void,
): Promise<WatchEnd> {
  const { WebSocket } = await import("ws");
  const { WatchFrame } = await import("../protocol/watch.ts");
  const url = `${target.url.replace(/^http/, "ws")}/mesh/watch?since=${sinceSeq}`;
  const socket = new WebSocket(url, {
    headers: authorizationHeaders(target),
    handshakeTimeout: watchOpenTimeoutMs,
  });
  // A closing handshake would keep the person waiting who asked to stop.
  const close = () => socket.terminate();
  stop.addEventListener("abort", close);
  // The stop may have come while the modules were loaded.
  if (stop.aborted) close();
  const endPings = pingWhileOpen(cli, socket);
  socket.on("message", (data) => {
    const frame = WatchFrame.safeParse(parseJson(String(data)));
    // A frame that cannot be read is a newer mesh's word for something else; the events still come.
    if (frame.success && frame.data.type === "event") onEvent(frame.data.event);
  });
  const end = await waitForClose(socket, target);
  endPings();
  stop.removeEventListener("abort", close);
  return end;
}

/** Resolves when the socket is closed, and never rejects. */
function waitForClose(socket: WebSocket, target: MeshTarget): Promise<WatchEnd> {
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  let opened = false;
  let failure: CliError | null = null;
  socket.on("open", () => {
    opened = true;
  });
  socket.on("unexpected-response", (_request, { statusCode = 0 }) => {
    const why = `the watch socket was answered with ${statusCode}`;
    failure = statusCode === 401 ? tokenRefused(target, "") : unreachable(target, why);
    socket.terminate();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure ??= unreachable(target, error.message || String(error.code), error);
  });
  socket.on("close", () => resolve({ wasOpened: opened, error: failure }));
  return promise;
}

/** Pings an open socket, and ends one that has been silent for too long. Returns what stops it. */
function pingWhileOpen(cli: Cli, socket: WebSocket): () => void {
  let heardAtMs = cli.nowMs();
  const heard = () => {
    heardAtMs = cli.nowMs();
  };
  socket.on("open", heard);
  socket.on("message", heard);
  const pings = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return;
    if (cli.nowMs() - heardAtMs > watchTimeoutMs) socket.terminate();
    else socket.send("ping");
  }, watchPingMs);
  return () => clearInterval(pings);
}
