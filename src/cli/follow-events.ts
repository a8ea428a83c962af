// Follows the mesh's events over the watch socket. Delivers each event once and in order, across reconnects.

import type { WebSocket } from "ws";
import type { WatchFrame } from "../protocol/watch.ts";
import type { Cli } from "./cli.ts";
import { authorizationHeaders } from "./client.ts";
import { connectionFailure } from "./connection-failure.ts";
import { type CliError, exitCodes } from "./errors.ts";
import { parseJson } from "./json.ts";
import { tokenRefused, unreachable } from "./mesh-refusal.ts";
import type { MeshTarget } from "./mesh-target.ts";
import { proxyAgent } from "./proxy.ts";

type WatchedEvent = Extract<WatchFrame, { type: "event" }>["event"];

/** Exponential backoff between dials, milliseconds, with jitter. */
const firstRedialMs = 250;
const maxRedialMs = 10_000;

/** Timeout of the WebSocket handshake, milliseconds. */
const watchOpenTimeoutMs = 10_000;

/**
 * Interval of pings, milliseconds. The mesh responds without waking up; after three silent intervals the
 * socket is dead.
 */
const watchPingMs = 5_000;
const watchTimeoutMs = 3 * watchPingMs;

/**
 * Calls `onEvent` for every event after `sinceSeq` until the signal aborts. After a broken connection, dials
 * again from the last event.
 *
 * @throws exit code 3 if the first dial finds no mesh, 4 if the token is refused
 */
export async function followEvents(
  cli: Cli,
  target: MeshTarget,
  sinceSeq: number,
  onEvent: (event: WatchedEvent) => void,
  stop: AbortSignal,
): Promise<void> {
  let lastSeq = sinceSeq;
  let waitMs = firstRedialMs;
  let hasOpened = false;
  while (!stop.aborted) {
    const end = await watchOnce(cli, target, lastSeq, stop, (event) => {
      // The mesh may repeat events after a new dial.
      if (event.seq <= lastSeq) return;
      lastSeq = event.seq;
      onEvent(event);
    });
    if (stop.aborted) return;
    hasOpened ||= end.wasOpened;
    if (end.error !== null && (!hasOpened || end.error.exitCode === exitCodes.token)) throw end.error;
    waitMs = end.wasOpened ? firstRedialMs : Math.min(maxRedialMs, waitMs * 2);
    await cli.sleep(waitMs * (0.5 + cli.random() / 2), stop);
  }
}

/** How a socket ended; `error` is set if it failed. */
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
    ...proxyAgent(url, target.isProxied),
  });
  // No closing handshake: the user is waiting for the command to end.
  const close = () => socket.terminate();
  stop.addEventListener("abort", close);
  // The signal may have aborted while the modules were loaded.
  if (stop.aborted) close();
  const stopPings = pingWhileOpen(cli, socket);
  socket.on("message", (data) => {
    const frame = WatchFrame.safeParse(parseJson(String(data)));
    // An unknown frame comes from a newer mesh and is no event.
    if (frame.success && frame.data.type === "event") onEvent(frame.data.event);
  });
  const end = await waitForClose(socket, target);
  stopPings();
  stop.removeEventListener("abort", close);
  return end;
}

/** Resolves when the socket closes; never rejects. */
function waitForClose(socket: WebSocket, target: MeshTarget): Promise<WatchEnd> {
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  let wasOpened = false;
  let failure: CliError | null = null;
  socket.on("open", () => {
    wasOpened = true;
  });
  socket.on("unexpected-response", (_request, { statusCode = 0 }) => {
    const reason = `the watch socket was refused with status ${statusCode}`;
    failure = statusCode === 401 ? tokenRefused(target, "") : unreachable(target, reason);
    socket.terminate();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const { reason, advice } = connectionFailure(error, watchOpenTimeoutMs);
    failure ??= unreachable(target, reason, error, advice);
  });
  socket.on("close", () => resolve({ wasOpened, error: failure }));
  return promise;
}

/** Pings an open socket, and terminates it after a silence. @returns a function that stops the pings */
function pingWhileOpen(cli: Cli, socket: WebSocket): () => void {
  let lastMessageAtMs = cli.nowMs();
  const onMessage = () => {
    lastMessageAtMs = cli.nowMs();
  };
  socket.on("open", onMessage);
  socket.on("message", onMessage);
  const pings = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return;
    if (cli.nowMs() - lastMessageAtMs > watchTimeoutMs) socket.terminate();
    else socket.send("ping");
  }, watchPingMs);
  return () => clearInterval(pings);
}
