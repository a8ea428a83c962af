// The parts of a mesh in mode tcp: real tasks behind real gateways, and a listener in front of them.

import { createHmac } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Gateway } from "../../src/agent/gateway/gateway.ts";
import type { RoutingTable, TableOptions, TableServer, TableService } from "../../src/domain/table/table.ts";
import { nodeKeyText } from "../../src/gateway/attempt.ts";
import { DescriptorBudget } from "../../src/local/descriptor-budget.ts";
import { TargetDialer } from "../../src/local/dial-target.ts";
import { TcpListener } from "../../src/local/tcp-listener.ts";
import { TcpRouter } from "../../src/proxy/tcp/tcp-router.ts";

const meshKey = { id: "k1", secret: "a-secret-of-this-mesh" };

/** A program that accepts TCP connections. */
export class TcpTask {
  readonly port: number;
  readonly connections = new Set<Socket>();
  /** Connections since the start. */
  accepted = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param serve called with each connection */
  static async start(serve: (socket: Socket, task: TcpTask) => void): Promise<TcpTask> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const task = new TcpTask(server);
    server.on("connection", (socket) => {
      task.accepted += 1;
      task.connections.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => task.connections.delete(socket));
      serve(socket, task);
    });
    return task;
  }

  /** Ends as a killed process does. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.connections) socket.resetAndDestroy();
    await closed;
  }
}

/** A task that sends back what it gets. */
export function startEcho(): Promise<TcpTask> {
  return TcpTask.start((socket) => socket.pipe(socket));
}

/** A task that names itself to each client, and ends the connection. */
export function startNamed(name: string): Promise<TcpTask> {
  return TcpTask.start((socket) => socket.end(name));
}

export type TcpMeshOptions = {
  readonly options?: TableOptions;
  readonly policy?: TableService["policy"];
  readonly servers?: readonly TableServer[];
  /** The keys that the router knows. */
  readonly keys?: readonly (typeof meshKey)[];
  /** Descriptors of the process. */
  readonly descriptors?: number;
};

/** Each task is on a node of its own, with its gateway. The service's published port is the listener's. */
export class TcpMesh {
  readonly router = new TcpRouter(Date.now, () => 0, "test-process");
  readonly refusals: string[] = [];
  readonly #gateways: Gateway[] = [];
  readonly #stopping = new Set<string>();
  readonly #options: TcpMeshOptions;
  #listener: TcpListener | null = null;
  #version = 0;

  private constructor(options: TcpMeshOptions) {
    this.#options = options;
  }

  static async start(tasks: readonly (TcpTask | null)[], options: TcpMeshOptions = {}): Promise<TcpMesh> {
    const mesh = new TcpMesh(options);
    for (const [index, task] of tasks.entries()) mesh.#gateways.push(await mesh.#openGateway(index, task));
    mesh.publish();
    const dialer = new TargetDialer(
      "test-router",
      { keys: () => options.keys ?? [meshKey], signingKey: () => mesh.router.routes?.signingKey ?? null },
      Date.now,
      null,
    );
    const budget = new DescriptorBudget(options.descriptors ?? null);
    const forwarding = { router: mesh.router, dialer, budget };
    mesh.#listener = await TcpListener.open("127.0.0.1", 0, { nodeId: null, port: 1 }, forwarding, {
      onError: (error) => mesh.refusals.push(error.message),
      onRefusal: (reason) => mesh.refusals.push(reason),
    });
    return mesh;
  }

  get port(): number {
    if (this.#listener === null) throw new Error("the listener is not open");
    return this.#listener.port;
  }

  connect(): Socket {
    return connect({ host: "127.0.0.1", port: this.port, allowHalfOpen: true });
  }

  /** Open connections of a task, as its gateway counts them. */
  openAt(index: number): number {
    return this.#gateways[index]?.openRequests(`t${index}`) ?? 0;
  }

  /** The gateway of a task says that it is stopping. */
  stopTask(index: number): void {
    this.#stopping.add(`t${index}`);
  }

  /** The gateway of a task ends, as with its node. */
  async closeGateway(index: number): Promise<void> {
    await this.#gateways[index]?.close(0);
  }

  /** Routes by the tasks that are left. */
  publish(withoutTasks: readonly number[] = []): void {
    const { options, policy = "roundrobin", servers } = this.#options;
    this.#version += 1;
    const indexes = [...this.#gateways.keys()].filter((index) => !withoutTasks.includes(index));
    const table: RoutingTable = {
      version: this.#version,
      nodes: this.#gateways.map(({ port }, index) => ({
        id: `n${index}`,
        name: `node${index}`,
        up: true,
        address: "127.0.0.1",
        gateway: { transport: "direct", base: `http://127.0.0.1:${port}` },
        hosts: [],
      })),
      services: [
        {
          id: "s1",
          name: "db",
          policy,
          ports: [{ target: 5432, published: 1, mode: "ingress" }],
          hosts: [],
          options: { mode: "tcp", ...options },
          ...(servers !== undefined && { servers }),
          tasks: indexes.map((index) => ({
            id: `t${index}`,
            slot: index + 1,
            nodeId: `n${index}`,
            weight: 1,
            endpoints: [[5432, null]],
          })),
        },
      ],
      defaultService: null,
      signingKey: meshKey.id,
    };
    this.router.setTable(table);
  }

  async stop(): Promise<void> {
    await this.#listener?.close(0);
    for (const gateway of this.#gateways) await gateway.close(0);
  }

  #openGateway(index: number, task: TcpTask | null): Promise<Gateway> {
    const key = createHmac("sha256", meshKey.secret)
      .update(nodeKeyText(`n${index}`))
      .digest();
    const { maxconn, queue = 100, queueTimeoutMs = 5_000 } = this.#options.options ?? {};
    const limit = maxconn === undefined ? {} : { limit: { maxconn, queue: Number(queue), queueTimeoutMs } };
    return Gateway.open("127.0.0.1", 0, {
      keys: () => [{ id: meshKey.id, key }],
      task: (taskId) =>
        taskId === `t${index}` && task !== null
          ? {
              ports: new Map([[5432, { host: "127.0.0.1", port: task.port }]]),
              accepts: !this.#stopping.has(taskId),
              ...limit,
            }
          : null,
      clocks: { wallMs: Date.now, registryMs: () => null, monotonicMs: () => performance.now() },
      log: () => undefined,
    });
  }
}

/** All bytes that a client receives until the other side ends; `reset` if that is not a clean end. */
export function received(socket: Socket): Promise<{ readonly bytes: Buffer; readonly isReset: boolean }> {
  const parts: Buffer[] = [];
  socket.on("data", (part) => parts.push(part as Buffer));
  return new Promise((resolve) => {
    socket.once("end", () => resolve({ bytes: Buffer.concat(parts), isReset: false }));
    socket.once("error", () => resolve({ bytes: Buffer.concat(parts), isReset: true }));
    socket.once("close", () => resolve({ bytes: Buffer.concat(parts), isReset: false }));
  });
}
