// A registry for tests of the agent: both routes of protocol/agent.ts over real sockets, without any
// decisions.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import {
  AgentMessage,
  type AssignedTask,
  JoinRequest,
  protocolVersion,
  type SentNodeKey,
  type TaskReport,
} from "../../src/protocol/agent.ts";

export const joinToken = `SWMTKN-1-${"a".repeat(50)}-${"b".repeat(25)}`;

/** A task id made of a short name: 25 characters 0-9a-z. */
export function taskId(name: string): string {
  return name.padEnd(25, "0");
}

/** An assigned task. @param changes of its run */
export function assignedTask(
  name: string,
  changes: Partial<AssignedTask["run"]> = {},
  slot = 1,
): AssignedTask {
  return {
    id: taskId(name),
    service: { id: taskId("service"), name: "my-web" },
    slot,
    desired: "running",
    run: {
      image: "waggle/whoami",
      command: [],
      args: [],
      env: [],
      dir: "",
      stopSignal: "",
      stopGraceMs: 5_000,
      targets: [80],
      ...changes,
    },
  };
}

export class FakeRegistry {
  readonly url: string;
  /** Messages of all agents, oldest first. */
  readonly messages: AgentMessage[] = [];
  /** By task, its reports, oldest first. */
  readonly reports = new Map<string, TaskReport[]>();
  /** Headers of all upgrade requests. */
  readonly upgrades: IncomingMessage["headers"][] = [];
  joins = 0;
  /** False: a frozen registry. */
  answersPings = true;
  /** If set, upgrades and joins are refused with this status. */
  refuseWith: number | null = null;
  /** The tasks of the assignment, which is sent after each hello and with each `assign`. */
  tasks: AssignedTask[] = [];
  drainDelayMs = 0;
  gatewayKeys: readonly SentNodeKey[] = [];
  /** Called with each message after it was stored. */
  onMessage: (message: AgentMessage) => void = () => {};
  socket: WebSocket | null = null;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  #index = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    server.on("request", async (request, response) => {
      const answer = this.#join(await textOf(request));
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer.body));
    });
  }

  /** @param port 0: any free port */
  static async start(port = 0): Promise<FakeRegistry> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return new FakeRegistry(server);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stop(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  /** Sends a new assignment. */
  assign(tasks: AssignedTask[]): void {
    this.tasks = tasks;
    this.#sendAssignment();
  }

  /** Changes the desired state of one task. */
  want(name: string, desired: AssignedTask["desired"]): void {
    this.assign(this.tasks.map((task) => (task.id === taskId(name) ? { ...task, desired } : task)));
  }

  /** The last report of a task. */
  last(name: string): TaskReport | undefined {
    return this.reports.get(taskId(name))?.at(-1);
  }

  /** The reported states of a task, in order, without repetitions. */
  states(name: string): string[] {
    const states = (this.reports.get(taskId(name)) ?? []).map(({ state }) => state);
    return states.filter((state, index) => state !== states[index - 1]);
  }

  ofType<T extends AgentMessage["type"]>(type: T): Extract<AgentMessage, { type: T }>[] {
    return this.messages.filter((message) => message.type === type) as Extract<AgentMessage, { type: T }>[];
  }

  #join(body: string): { status: number; body: unknown } {
    if (this.refuseWith !== null) return { status: this.refuseWith, body: { message: "not now" } };
    const { protocol, token } = JoinRequest.parse(JSON.parse(body));
    if (protocol !== protocolVersion)
      return { status: 426, body: { message: `speak version ${protocolVersion}` } };
    if (token !== joinToken) return { status: 401, body: { message: "invalid join token" } };
    this.joins += 1;
    return { status: 200, body: { nodeId: this.nodeId, credential: `${"c".repeat(49)}${this.joins}` } };
  }

  get nodeId(): string {
    return taskId(`node${this.joins}`);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.upgrades.push(request.headers);
    const expected = `Bearer ${"c".repeat(49)}${this.joins}`;
    const status = this.refuseWith ?? (request.headers.authorization === expected ? null : 401);
    if (status !== null) {
      const body = JSON.stringify({ message: `refused with ${status}` });
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      this.socket = opened;
      this.#index = 0;
      opened.on("message", (data) => this.#receive(opened, data.toString()));
    });
  }

  #receive(from: WebSocket, frame: string): void {
    if (frame === "ping") {
      if (this.answersPings) from.send("pong");
      return;
    }
    const message = AgentMessage.parse(JSON.parse(frame));
    this.messages.push(message);
    if (message.type === "hello" || message.type === "report") {
      for (const report of message.tasks) {
        this.reports.set(report.id, [...(this.reports.get(report.id) ?? []), report]);
      }
    }
    if (message.type === "hello") this.#sendAssignment();
    this.onMessage(message);
  }

  #sendAssignment(): void {
    const { nodeId, drainDelayMs, tasks } = this;
    const node = { id: nodeId, name: "node1" };
    this.#index += 1;
    const { gatewayKeys } = this;
    const body = { node, nowMs: Date.now(), gatewayKeys, tunnel: false, drainDelayMs, tasks };
    this.socket?.send(JSON.stringify({ type: "assignment", index: this.#index, ...body }));
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
