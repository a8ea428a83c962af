// Connections to tasks: how one is opened, and how many are open.

import { isIP, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { TaskPool } from "./task-pool.ts";

/** Where a target port of a task listens on this machine, or a static server anywhere. */
export type TaskEndpoint = {
  readonly host: string;
  readonly port: number;
  /** True if it speaks TLS, with a certificate for the host. Absent: plain. */
  readonly tls?: boolean;
};

/** @param origin `http://10.0.0.5:5432`; over TLS with `https:` */
export function endpointOfOrigin(origin: string): TaskEndpoint {
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  // `URL` leaves out the port that is the protocol's own.
  return protocol === "https:"
    ? { host, port: Number(port || 443), tls: true }
    : { host, port: Number(port || 80) };
}

/** A task that does not accept a connection in this time counts as one that refuses it, milliseconds. */
const connectTimeoutMs = 3_000;

/** How long a connection is silent before the kernel asks whether its peer is there, milliseconds. */
export const keepAliveProbeMs = 30_000;

/** No connection to the task was opened, so that nothing was sent. */
export class TaskUnreachableError extends Error {
  readonly code = "TASK_UNREACHABLE";
}

/**
 * A connection to a task. A task may respond before it has read all of a request, and close: what it sent
 * can still be read when writing fails, so a failed write does not end the connection. Its end is read as well.
 */
class TaskSocket extends Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, onWritten: OnWritten): void {
    super._write(chunk, encoding, (error) => {
      if (!isPeerGone(error)) onWritten(error);
    });
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], onWritten: OnWritten): void {
    super._writev?.(chunks, (error) => {
      if (!isPeerGone(error)) onWritten(error);
    });
  }
}

type OnWritten = (error?: Error | null) => void;

function isPeerGone(error: NodeJS.ErrnoException | null | undefined): boolean {
  return error?.code === "EPIPE" || error?.code === "ECONNRESET";
}

/** Opens connections, and counts those that are open. */
export class TaskConnections {
  /** Number of open connections. */
  #open = 0;
  /** For requests that may be repeated: it keeps connections open. */
  readonly pool: TaskPool;

  constructor() {
    this.pool = new TaskPool((endpoint, onDone) => this.connect(endpoint, onDone));
  }

  /** Number of open connections, idle ones included. */
  get open(): number {
    return this.#open;
  }

  /**
   * Opens a new connection.
   *
   * @param onDone gets the connection, or a TaskUnreachableError; not called after the returned function
   * @returns a function that gives up
   */
  connect(
    { host, port, tls = false }: TaskEndpoint,
    onDone: (error: TaskUnreachableError | null, socket: Socket) => void,
  ): () => void {
    const socket = new TaskSocket();
    this.#open += 1;
    socket.once("close", () => {
      this.#open -= 1;
    });
    let isOver = false;
    const end = (error: TaskUnreachableError | null, connection: Socket): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (error !== null) socket.destroy();
      onDone(error, connection);
    };
    const fail = (reason: string): void => end(new TaskUnreachableError(reason), socket);
    const onError = (error: NodeJS.ErrnoException): void => fail(connectFailure(error));
    const timer = setTimeout(() => {
      fail(`it did not accept a connection in ${connectTimeoutMs / 1_000} s`);
    }, connectTimeoutMs);
    socket.on("error", onError);
    socket.connect({ host, port }, () => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveProbeMs);
      if (!tls) {
        end(null, socket);
        return;
      }
      const secure = connectTls({ socket, ...(isIP(host) === 0 && { servername: host }) });
      secure.on("error", onError);
      secure.once("secureConnect", () => end(null, secure));
    });
    return () => {
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
    };
  }

  close(): void {
    this.pool.destroy();
  }
}

function connectFailure({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ECONNREFUSED") return "nothing accepts connections at its port";
  return `connecting to its port failed: ${code ?? message}`;
}
