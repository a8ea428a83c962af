// The gateway of a node: its single port, through which the data plane reaches its tasks.

import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Readable } from "node:stream";
import { type GatewayOutcome, gatewayHeader, printOutcome } from "../../gateway/attempt.ts";
import { listenBacklog } from "../listen-backlog.ts";
import type { Peer } from "../names/peer-connections.ts";
import { AttemptClock } from "./attempt-clock.ts";
import { AttemptLog } from "./attempt-log.ts";
import type { GatewayExchange, ResponseHead } from "./exchange.ts";
import { forwardToTask, type TaskPath } from "./forward.ts";
import { createGatewayServer, type GatewayCertificate } from "./gateway-server.ts";
import { type RequestLimit, TaskOpenRequests } from "./open-requests.ts";
import { checkProof, type NodeKey } from "./proof.ts";
import { type AttemptHead, gatewayPurpose, type HeadRefusal, readAttemptHead } from "./request-head.ts";
import { Reservations } from "./reservations.ts";
import { connectionDescriptors, RouterConnections } from "./router-connections.ts";
import { TaskConnections, type TaskEndpoint } from "./task-connection.ts";
import { acceptWebSocket } from "./web-socket-end.ts";

/** A task as its gateway knows it. */
export type GatewayTask = {
  /** Where each target port of the task listens on this machine. */
  readonly ports: Pick<ReadonlyMap<number, TaskEndpoint>, "get">;
  /** False: it is stopping; new attempts are `gone`, open ones go on. */
  readonly accepts: boolean;
  /** Absent: any number of requests may be open. */
  readonly limit?: RequestLimit;
};

/** What a gateway sends for attempts `logs`. */
type GatewayLogs = {
  /** The key that proves such an attempt; empty before the node has joined. */
  readonly keys: () => readonly NodeKey[];
  /** The lines; null if the target asks for no logs. The signal ends them. */
  readonly body: (target: string, signal: AbortSignal) => Readable | null;
};

/** What a gateway accepts from nodes with tasks on the same networks: byte tunnels to these tasks. */
export type GatewayNetworks = {
  /** The network and the other node for which a key counts; null if it is no key of a network. */
  readonly key: (keyId: string) => { readonly key: NodeKey; readonly peer: Peer } | null;
  /** Where a task listens on a network; null if it is not on it. */
  readonly endpoint: (networkId: string, taskId: string, port: number) => TaskEndpoint | null;
  /** Follows a byte tunnel of a peer, by its connection to the task. False: the peer has left; the connection ends. */
  readonly follow: (peer: Peer, connection: Socket) => boolean;
};

export type GatewayOptions = {
  /** The keys of this node, one for each key of the mesh. */
  readonly keys: () => readonly NodeKey[];
  /** Null if the node has no such task. */
  readonly task: (taskId: string) => GatewayTask | null;
  /** Absent: the node has no logs. */
  readonly logs?: GatewayLogs;
  /** Absent: the node has no networks. */
  readonly networks?: GatewayNetworks;
  readonly clocks: {
    /** Epoch milliseconds. */
    readonly wallMs: () => number;
    /** The registry's time, epoch milliseconds; null before it has stated it. */
    readonly registryMs: () => number | null;
    /** Milliseconds of a clock that is never set. */
    readonly monotonicMs: () => number;
  };
  /** Absent: the gateway speaks plain HTTP. */
  readonly tls?: GatewayCertificate;
  readonly log: (line: string) => void;
  /** For connections; absent: the limit of the process without a reserve. */
  readonly maxDescriptors?: number;
};

/** An attempt that counts. */
type Proven = {
  readonly exchange: GatewayExchange;
  readonly head: AttemptHead;
  readonly mark: string;
  /** Whose key of a network proved it; null: a key of routers, or that of logs. */
  readonly peer: Peer | null;
};

/** Open streams of logs at a time; each holds some hundred KiB. */
const maxLogStreams = 64;

/** At least so long between two lines of the log about refused requests, milliseconds. */
const refusalLogMs = 10_000;

const statuses = {
  ready: [204, "No Content"],
  refused: [503, "Service Unavailable"],
  gone: [503, "Service Unavailable"],
  full: [503, "Service Unavailable"],
  duplicate: [409, "Conflict"],
  broken: [502, "Bad Gateway"],
} as const satisfies Record<Exclude<GatewayOutcome, "task">, readonly [number, string]>;

/**
 * An open port.
 *
 * @see docs/gateway.md
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #clock: AttemptClock;
  readonly #log = new AttemptLog();
  readonly #requests = new TaskOpenRequests();
  readonly #reservations = new Reservations();
  readonly #toTasks = new TaskConnections();
  readonly #fromRouters: RouterConnections;
  #logStreams = 0;
  #refusalLoggedMs = Number.NEGATIVE_INFINITY;
  #isClosing = false;

  private constructor(options: GatewayOptions) {
    this.#options = options;
    this.#clock = new AttemptClock(options.clocks.monotonicMs());
    this.#fromRouters = new RouterConnections(options.maxDescriptors ?? connectionDescriptors(), {
      open: () => this.#toTasks.open,
      closeIdle: () => this.#toTasks.pool.closeIdle(),
    });
    this.#server = createGatewayServer(options.tls, this.#fromRouters, (exchange) => this.handle(exchange));
  }

  /**
   * Opens `host:port`; rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES) if that fails.
   *
   * @param port 0: any free one
   */
  static async open(host: string, port: number, options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options);
    const server = gateway.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog: listenBacklog }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return gateway;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Open requests of a task: HTTP requests, upgrades, byte tunnels and reserved connections. */
  openRequests(taskId: string): number {
    return this.#requests.count(taskId);
  }

  /** Resolves when the task has no open request, or after `maxMs`. */
  whenIdle(taskId: string, maxMs: number): Promise<void> {
    return this.#requests.whenIdle(taskId, maxMs);
  }

  /**
   * Serves one exchange, from this port or from the agent's tunnel.
   *
   * @returns true if it had a proof
   */
  handle(exchange: GatewayExchange): boolean {
    const head = readAttemptHead(exchange);
    if ("reason" in head) {
      this.#refuse(exchange, head);
      return false;
    }
    const { kind, keyId } = head.attempt;
    // A key of a network proves byte tunnels, and nothing else.
    const ofNetwork = kind === "tunnel" ? (this.#options.networks?.key(keyId) ?? null) : null;
    const keys = kind === "logs" ? this.#options.logs?.keys() : this.#options.keys();
    const proof = checkProof(
      head.attempt,
      head.request,
      head.proof,
      ofNetwork === null ? (keys ?? []) : [ofNetwork.key],
    );
    if (proof.mark === null) {
      this.#refuse(exchange, { status: 403, reason: proof.reason });
      return false;
    }
    return this.#admit({ exchange, head, mark: proof.mark, peer: ofNetwork?.peer ?? null });
  }

  /** Stops listening. Open requests may take up to `graceMs`. Resolves when all connections are closed. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#fromRouters.close("idle");
    this.#reservations.close();
    const deadline = setTimeout(() => this.#fromRouters.close("all"), graceMs);
    await closed;
    clearTimeout(deadline);
    this.#toTasks.close();
  }

  /** Checks the time of a proven attempt, and that it is new. */
  #admit(proven: Proven): boolean {
    const { attempt } = proven.head;
    const { clocks } = this.#options;
    const monotonicMs = clocks.monotonicMs();
    const readings = { wallMs: clocks.wallMs(), registryMs: clocks.registryMs(), monotonicMs };
    const time = this.#clock.judge(attempt.issuedMs, readings);
    if (time === "outside") {
      const skewS = Math.round((readings.wallMs - attempt.issuedMs) / 1_000);
      const reason = `its time is ${Math.abs(skewS)} s ${skewS < 0 ? "ahead of" : "behind"} this node's clock`;
      this.#refuse(proven.exchange, { status: 403, reason });
      return false;
    }
    if (time === "earlier") {
      answer(
        proven,
        "duplicate",
        "The attempt is from before this gateway started, and may have been executed.",
      );
      return true;
    }
    if (attempt.kind === "tunnel" && !proven.exchange.isUpgrade) {
      this.#refuse(proven.exchange, {
        status: 400,
        reason: "a tunnel needs Connection: Upgrade and no body",
      });
      return true;
    }
    // A reserve and the attempt that uses its connection have one id.
    const id = attempt.kind === "reserve" ? `reserve ${attempt.id}` : attempt.id;
    if (!this.#log.add(id, monotonicMs)) {
      answer(
        proven,
        "duplicate",
        `An attempt ${attempt.id} was here before; what became of it is not known.`,
      );
    } else if (attempt.kind === "hello") {
      answer(proven, "ready", "");
    } else if (attempt.kind === "logs") {
      this.#sendLogs(proven);
    } else {
      this.#deliver(proven);
    }
    return true;
  }

  #sendLogs(proven: Proven): void {
    const { exchange, head, mark } = proven;
    if (this.#logStreams >= maxLogStreams) {
      answer(
        proven,
        "full",
        `This node sends logs to ${maxLogStreams} readers; try again when one has ended.`,
      );
      return;
    }
    const reading = new AbortController();
    const body = this.#options.logs?.body(head.request.target, reading.signal) ?? null;
    if (body === null) {
      answer(proven, "gone", "This node has no such logs; mesh and agent may be of different releases.");
      return;
    }
    this.#logStreams += 1;
    exchange.onClose = () => {
      exchange.onClose = ignore;
      this.#logStreams -= 1;
      reading.abort();
      body.destroy();
    };
    const rawHeaders = ["Content-Type", "application/octet-stream", "Cache-Control", "no-store"];
    rawHeaders.push(gatewayHeader, printOutcome("ready", mark));
    exchange.respond({ status: 200, reason: "OK", rawHeaders }, body);
  }

  #deliver(proven: Proven): void {
    const { attempt } = proven.head;
    const reserved = attempt.kind === "once" ? this.#reservations.take(attempt.id, attempt) : null;
    if (reserved !== null) {
      this.#forward(proven, { socket: reserved, pool: null });
      return;
    }
    const endpoint = this.#endpointOf(proven);
    if (endpoint === null) return;
    const limit = this.#options.task(attempt.taskId)?.limit;
    if (this.#requests.enter(attempt.taskId, limit)) this.#reach(proven, endpoint);
    else if (limit !== undefined) this.#queue(proven, limit);
  }

  /** Where the task of an attempt listens; null if the attempt is answered, because it cannot be delivered. */
  #endpointOf(proven: Proven): TaskEndpoint | null {
    const networkId = proven.peer?.networkId ?? null;
    const { taskId, port } = proven.head.attempt;
    const task = this.#options.task(taskId);
    const endpoint =
      networkId === null
        ? task?.ports.get(port)
        : (this.#options.networks?.endpoint(networkId, taskId, port) ?? undefined);
    if (task === null) answer(proven, "gone", `This node has no task ${taskId}.`);
    else if (!task.accepts || this.#isClosing) answer(proven, "gone", `The task ${taskId} is stopping.`);
    else if (endpoint === undefined) answer(proven, "gone", noPortText(taskId, port, networkId));
    else return endpoint;
    return null;
  }

  #queue(proven: Proven, limit: RequestLimit): void {
    const { exchange, head } = proven;
    const { maxconn, queue, queueTimeoutMs } = limit;
    const stopWaiting = this.#requests.wait(head.attempt.taskId, limit, (isAdmitted) => {
      exchange.onClose = ignore;
      if (!isAdmitted) {
        answer(proven, "full", `The task has ${maxconn} open requests; none ended in ${queueTimeoutMs} ms.`);
        return;
      }
      const endpoint = this.#endpointOf(proven);
      if (endpoint === null) this.#requests.leave(head.attempt.taskId);
      else this.#reach(proven, endpoint);
    });
    if (stopWaiting !== null) exchange.onClose = stopWaiting;
    else answer(proven, "full", `The task has ${maxconn} open requests, and ${queue} more wait.`);
  }

  /** Sends an attempt on that is counted as an open request of its task. */
  #reach(proven: Proven, endpoint: TaskEndpoint): void {
    const { exchange, head } = proven;
    const { kind, taskId } = head.attempt;
    if (!this.#fromRouters.hasRoom() || (kind === "reserve" && this.#reservations.isFull)) {
      this.#requests.leave(taskId);
      answer(proven, "full", "This node has its maximum of open connections.");
    } else if (kind === "repeat") {
      this.#forward(proven, { socket: null, pool: this.#toTasks.pool, endpoint });
    } else {
      const giveUp = this.#toTasks.connect(endpoint, (error, socket) => {
        exchange.onClose = ignore;
        if (error === null) {
          this.#use(proven, socket);
          return;
        }
        this.#requests.leave(taskId);
        answer(proven, "refused", refusedText(taskId, error.message));
      });
      exchange.onClose = () => {
        giveUp();
        this.#requests.leave(taskId);
      };
    }
  }

  /** Does with a new connection what the attempt asks for. */
  #use(proven: Proven, socket: Socket): void {
    const { head } = proven;
    const { kind, id, taskId } = head.attempt;
    const leave = (): void => this.#requests.leave(taskId);
    if (kind === "reserve") {
      this.#reservations.add(id, head.attempt, socket, leave);
      answer(proven, "ready", "");
    } else if (kind === "tunnel") {
      this.#openTunnel(proven, socket);
    } else {
      this.#forward(proven, { socket, pool: null });
    }
  }

  /** Passes bytes both ways: those of the router's connection, or of the messages of a WebSocket. */
  #openTunnel(proven: Proven, socket: Socket): void {
    const { exchange, head, mark, peer } = proven;
    const { taskId } = head.attempt;
    if (peer !== null && this.#options.networks?.follow(peer, socket) !== true) {
      this.#requests.leave(taskId);
      answer(proven, "gone", `The node ${peer.nodeId} has left the network ${peer.networkId}.`);
      return;
    }
    exchange.onClose = () => this.#requests.leave(taskId);
    const rawHeaders = ["Connection", "Upgrade", "Upgrade", head.upgrade ?? ""];
    rawHeaders.push(gatewayHeader, printOutcome("task", mark));
    const response = { status: 101, reason: "Switching Protocols", rawHeaders };
    if (head.upgrade?.toLowerCase() !== "websocket") {
      exchange.switchProtocols(response, socket, noBytes);
      return;
    }
    acceptWebSocket(head.headers, socket, (end) => {
      if (end === null) {
        socket.destroy();
        this.#refuse(exchange, { status: 400, reason: "its WebSocket handshake cannot be read" });
        return;
      }
      rawHeaders.push("Sec-WebSocket-Accept", end.accept);
      exchange.switchProtocols(response, end.connection, noBytes);
    });
  }

  #forward(proven: Proven, path: TaskPath): void {
    const { exchange, head, mark } = proven;
    const { taskId } = head.attempt;
    forwardToTask(exchange, head, mark, path, {
      onFailure: (outcome, reason) => {
        const text = outcome === "refused" ? refusedText(taskId, reason) : `The task ${taskId} ${reason}.`;
        answer(proven, outcome, text);
      },
      onClose: () => this.#requests.leave(taskId),
    });
  }

  /** Refuses a request without a proof that counts. The log has at most one line in `refusalLogMs`. */
  #refuse(exchange: GatewayExchange, { status, reason }: HeadRefusal): void {
    const nowMs = this.#options.clocks.monotonicMs();
    if (nowMs - this.#refusalLoggedMs >= refusalLogMs) {
      this.#refusalLoggedMs = nowMs;
      this.#options.log(`gateway: refused a request: ${reason}`);
    }
    const text = `${gatewayPurpose}. This request is not forwarded: ${reason}.`;
    const response = { status, reason: status === 403 ? "Forbidden" : "Bad Request", isLast: true };
    respondWithText(exchange, response, text, []);
  }
}

const ignore = (): void => undefined;
const noBytes = Buffer.alloc(0);

function noPortText(taskId: string, port: number, networkId: string | null): string {
  const where = networkId === null ? "" : ` on the network ${networkId}`;
  return `The task ${taskId} has no port ${port}${where}.`;
}

function refusedText(taskId: string, reason: string): string {
  return `The task ${taskId} cannot be reached: ${reason}.`;
}

/** Responds with an outcome of the gateway itself, and one sentence for a person. */
function answer({ exchange, mark }: Proven, outcome: keyof typeof statuses, text: string): void {
  const [status, reason] = statuses[outcome];
  const own = [gatewayHeader, printOutcome(outcome, mark)];
  // The sender of a repeated attempt may have recorded it.
  const response = { status, reason, isLast: outcome === "duplicate" };
  if (status === 204) exchange.respond({ ...response, rawHeaders: own }, "");
  else respondWithText(exchange, response, text, own);
}

function respondWithText(
  exchange: GatewayExchange,
  response: Omit<ResponseHead, "rawHeaders">,
  text: string,
  headers: readonly string[],
): void {
  const body = `${text}\n`;
  const rawHeaders = ["Content-Type", "text/plain; charset=utf-8", "Content-Length"];
  rawHeaders.push(String(Buffer.byteLength(body)), "Cache-Control", "no-store", ...headers);
  exchange.respond({ ...response, rawHeaders }, body);
}
