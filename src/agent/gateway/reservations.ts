// Connections that were opened for an attempt `reserve`, until the attempt `once` of the same id takes them.

import type { Socket } from "node:net";

/** An unused connection ends after this time, milliseconds. */
const reservedMs = 10_000;

/** Connections reserved at a time, for all tasks. */
const maxReservations = 1_000;

/** The task and its target port. */
export type ReservedFor = { readonly taskId: string; readonly port: number };

type Reservation = ReservedFor & {
  readonly socket: Socket;
  readonly onEnd: () => void;
  readonly timer: NodeJS.Timeout;
};

/** Reserved connections by the id of their attempt. */
export class Reservations {
  readonly #byId = new Map<string, Reservation>();

  /** True if no further connection may be reserved. */
  get isFull(): boolean {
    return this.#byId.size >= maxReservations;
  }

  /**
   * Keeps a connection. It ends if the task ends it, or sends anything before it has a request.
   *
   * @param onEnd called if the connection ends without having been taken
   */
  add(id: string, { taskId, port }: ReservedFor, socket: Socket, onEnd: () => void): void {
    const timer = setTimeout(() => socket.destroy(), reservedMs);
    this.#byId.set(id, { taskId, port, socket, onEnd, timer });
    socket.on("data", endEarly);
    socket.on("error", ignore);
    socket.once("close", () => {
      if (this.#byId.get(id)?.socket === socket) this.#remove(id)?.onEnd();
    });
  }

  /** The connection of an id, if it is for this port of this task and still open. */
  take(id: string, { taskId, port }: ReservedFor): Socket | null {
    const reservation = this.#byId.get(id);
    if (reservation?.taskId !== taskId || reservation.port !== port) return null;
    const { socket } = reservation;
    if (socket.destroyed || socket.readableEnded) return null;
    this.#remove(id);
    socket.off("data", endEarly);
    socket.off("error", ignore);
    return socket;
  }

  close(): void {
    for (const { socket } of this.#byId.values()) socket.destroy();
  }

  #remove(id: string): Reservation | undefined {
    const reservation = this.#byId.get(id);
    clearTimeout(reservation?.timer);
    this.#byId.delete(id);
    return reservation;
  }
}

function endEarly(this: Socket): void {
  this.destroy();
}

function ignore(): void {}
