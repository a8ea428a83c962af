// The Durable Object around the registry: it gives it storage, a clock, sockets and a wake-up, and decides nothing.

import { DurableObject } from "cloudflare:workers";
import { type AgentMessage, protocolVersion } from "../src/protocol/agent.ts";
import { readAgentMessage } from "../src/registry/agent-message.ts";
import {
  type OperationArgs,
  type OperationName,
  type OperationResult,
  operationNames,
  operations,
  type RegistryOperations,
} from "../src/registry/api.ts";
import { Registry } from "../src/registry/registry.ts";
import { randomBase36, randomId } from "../src/registry/secrets.ts";
import { RegistryStore } from "../src/registry/store.ts";
import { type AgentAttachment, AgentSockets } from "./agent-sockets.ts";
import type { Env } from "./env.ts";
import { proberOf, regionsOf } from "./objects.ts";
import { sqlDatabaseOf } from "./storage.ts";
import { WatchSockets } from "./watch-sockets.ts";

/** After a failed alarm, milliseconds: the platform's own retries end after six, and then nobody would look again. */
const alarmRetryMs = 5_000;

/** The base class as the compiler sees it: the static block below gives the prototype one method for each operation. */
const OperationsObject = DurableObject<Env> as abstract new (
  ctx: DurableObjectState,
  env: Env,
) => DurableObject<Env> & RegistryOperations;

/** The mesh's memory, one object per mesh. */
export class MeshRegistry extends OperationsObject {
  readonly #registry: Registry;
  readonly #agents: AgentSockets;
  readonly #watchers: WatchSockets;
  /** When the alarm is set for; null: it is not. */
  #armedMs: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#agents = new AgentSockets(ctx);
    this.#watchers = new WatchSockets(ctx);
    this.#registry = new Registry(new RegistryStore(sqlDatabaseOf(ctx.storage)), {
      clock: () => Date.now(),
      newId: randomId,
      newSecret: randomBase36,
      mode: env.MESH_MODE,
      meshName: env.MESH_NAME,
      regions: regionsOf(env),
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    ctx.blockConcurrencyWhile(async () => {
      this.#armedMs = await ctx.storage.getAlarm();
      this.#do(() => this.#registry.start(new Set(this.#agents.lastSeen().keys())));
    });
  }

  static {
    for (const name of operationNames) installOperation(name);

    function installOperation<Name extends OperationName>(name: Name): void {
      const isRead = operations[name].kind === "read";
      const method = function (this: MeshRegistry, ...args: OperationArgs<Name>): OperationResult<Name> {
        const registry: RegistryOperations = this.#registry;
        return isRead ? registry[name](...args) : this.#do(() => registry[name](...args));
      };
      Object.defineProperty(MeshRegistry.prototype, name, { value: method });
    }
  }

  /** The two upgrades: an agent's socket, whose credential is checked here, and a watcher's, whose token was checked. */
  override fetch(request: Request): Response {
    const url = new URL(request.url);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return refusal(426, `${url.pathname} is a WebSocket: ask for an upgrade`, { upgrade: "websocket" });
    }
    if (url.pathname === "/mesh/agent") return this.#acceptAgent(request);
    if (url.pathname === "/mesh/watch") return this.#acceptWatcher(url);
    return refusal(404, "page not found");
  }

  override webSocketMessage(ws: WebSocket, frame: string | ArrayBuffer): void {
    const socket = this.#agents.touch(ws, Date.now());
    if (socket === null) return;
    const read = readAgentMessage(frame, socket.greeted);
    if (!read.ok) this.#do(() => this.#registry.rejectMessage(socket.nodeId, read.reason));
    else this.#do(() => this.#take(ws, socket, read.message));
  }

  override webSocketClose(ws: WebSocket): void {
    const nodeId = this.#agents.disconnectedNode(ws);
    if (nodeId !== null) this.#do(() => this.#registry.socketClosed(nodeId));
  }

  override webSocketError(ws: WebSocket): void {
    this.webSocketClose(ws);
  }

  override alarm(): void {
    this.#armedMs = null;
    try {
      this.#do(() => {
        this.#registry.checkHeartbeats(this.#agents.lastSeen());
        this.#registry.runDueDeadlines();
      });
    } catch (error) {
      console.error({ what: "the registry's alarm failed and is set again", error: String(error) });
      this.#arm(Date.now() + alarmRetryMs);
    }
  }

  #acceptAgent(request: Request): Response {
    const { headers } = request;
    const offered = headers.get("x-waggle-protocol");
    if (offered !== String(protocolVersion)) {
      const agent = offered === null ? "none" : offered.slice(0, 20);
      return refusal(426, `this mesh speaks agent protocol ${protocolVersion}, the agent offered ${agent}`);
    }
    const nodeId = headers.get("x-waggle-node") ?? "";
    if (!/^[0-9a-z]{25}$/.test(nodeId))
      return refusal(400, "x-waggle-node: 25 characters 0-9a-z are expected");
    const credential = /^Bearer (\S{1,200})$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (credential === undefined || !this.#registry.authenticateNode(nodeId, credential)) {
      return refusal(401, `node ${nodeId} is no member or its credential is wrong: join again`);
    }
    return this.#agents.accept(nodeId, Date.now());
  }

  #acceptWatcher(url: URL): Response {
    const since = url.searchParams.get("since");
    if (since !== null && !/^\d{1,15}$/.test(since)) {
      return refusal(400, `cannot read since=${since.slice(0, 40)}: the number of the last event seen`);
    }
    const { version } = this.#registry.table(Number.MAX_SAFE_INTEGER);
    const until = Number(url.searchParams.get("until") ?? Number.POSITIVE_INFINITY);
    const missed = since === null ? [] : this.#registry.events(Number(since), 1_000);
    return this.#watchers.accept(missed, version, until);
  }

  #take(ws: WebSocket, { nodeId }: AgentAttachment, message: AgentMessage): void {
    switch (message.type) {
      case "hello":
        this.#agents.markGreeted(ws);
        this.#registry.connected(nodeId, message);
        break;
      case "report":
        this.#registry.report(nodeId, message.tasks);
        break;
      case "leaving":
        this.#registry.leaving(nodeId);
        break;
      case "goodbye":
        this.#registry.goodbye(nodeId, message.reason);
        break;
    }
  }

  /** Runs one use-case, then what it asks for outside. No await in between: rows and alarm are written as one. */
  #do<T>(work: () => T): T {
    const result = work();
    const effects = this.#registry.takeEffects();
    for (const assignment of effects.assignments) this.#agents.assign(assignment);
    for (const { nodeId, taskIds } of effects.probes) this.#agents.probe(nodeId, taskIds);
    for (const { nodeId, code, reason } of effects.closes) this.#agents.close(nodeId, code, reason);
    for (const region of effects.wakes) this.#wake(region);
    this.#watchers.broadcast(effects);
    this.#arm(effects.nextDeadlineMs);
    return result;
  }

  /** Not waited for: a prober out of reach is woken again when its region was silent for long. */
  #wake(region: string): void {
    const work = proberOf(this.env, region)?.wake(region);
    this.ctx.waitUntil(
      Promise.resolve(work).catch((error: unknown) =>
        console.error({ what: "a prober cannot be woken", region, error: String(error) }),
      ),
    );
  }

  /** Sets the alarm unless it already comes by then: each setting is a row written, an early alarm just looks. */
  #arm(atMs: number | null): void {
    if (atMs === null || (this.#armedMs !== null && this.#armedMs <= atMs)) return;
    this.#armedMs = atMs;
    void this.ctx.storage.setAlarm(atMs);
  }
}

function refusal(status: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ message }, { status, headers });
}
