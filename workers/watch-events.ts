// The registry's events as they happen, over a watcher's socket of the registry object.

import { MeshError } from "../src/domain/model/error.ts";
import type { MeshEvent } from "../src/domain/model/event.ts";
import { WatchFrame } from "../src/protocol/watch.ts";

/**
 * Opens a watcher's socket.
 *
 * @param upgrade sends the upgrade to the registry object
 * @param sinceSeq events after it that are stored come first
 * @throws MeshError registry/unavailable
 */
export async function watchEvents(
  upgrade: (request: Request) => Promise<Response>,
  sinceSeq: number,
): Promise<AsyncIterable<MeshEvent>> {
  const request = new Request(`https://registry/mesh/watch?since=${sinceSeq}`, {
    headers: { upgrade: "websocket" },
  });
  const { webSocket } = await upgrade(request);
  if (webSocket === null) {
    throw new MeshError("registry/unavailable", "the registry opens no watcher's socket; try again", {
      blame: "mesh",
      retry: "safe",
    });
  }
  webSocket.accept();
  return { [Symbol.asyncIterator]: () => new SocketEvents(webSocket) };
}

/** The events of one socket, in order. */
class SocketEvents implements AsyncIterator<MeshEvent> {
  readonly #socket: WebSocket;
  readonly #events: MeshEvent[] = [];
  #isOpen = true;
  #wake = Promise.withResolvers<void>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const frame = WatchFrame.safeParse(JSON.parse(String(data)));
      if (frame.success && frame.data.type === "event") this.#events.push(frame.data.event);
      this.#wake.resolve();
    });
    for (const type of ["close", "error"] as const) {
      socket.addEventListener(type, () => {
        this.#isOpen = false;
        this.#wake.resolve();
      });
    }
  }

  async next(): Promise<IteratorResult<MeshEvent>> {
    while (this.#isOpen && this.#events.length === 0) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    const value = this.#events.shift();
    return value === undefined ? { done: true, value: undefined } : { done: false, value };
  }

  async return(): Promise<IteratorResult<MeshEvent>> {
    this.#isOpen = false;
    this.#wake.resolve();
    this.#socket.close(1000, "the client has left");
    return { done: true, value: undefined };
  }
}
