// The Durable Object of the registry: adds storage, a clock, sockets and an alarm, and no rules.

import { DurableObject } from "cloudflare:workers";
import { readHostPatterns } from "../src/domain/model/host-pattern.ts";
import { readOwnSockets } from "../src/domain/model/own-socket.ts";
import { tokenMark } from "../src/domain/model/token-mark.ts";
import { closeCodes } from "../src/protocol/agent.ts";
import type { AddressRules } from "../src/registry/addresses.ts";
import { readAgentMessage } from "../src/registry/agent-message.ts";
import type { ReceivedMessage } from "../src/registry/agent-sessions.ts";
import {
  type OperationArgs,
  type OperationName,
  type OperationResult,
  operationNames,
  operations,
  type RegistryOperations,
  type RouterCall,
  type RouterExchangeApi,
  type RouterReply,
} from "../src/registry/api.ts";
import type { GatewayCheckRequest } from "../src/registry/gateway-checks.ts";
import { Registry } from "../src/registry/registry.ts";
import { randomBase36, randomId } from "../src/registry/secrets.ts";
import { RegistryStore } from "../src/registry/store.ts";
import { AgentSockets } from "./agent-sockets.ts";
import { ClockGuard } from "./clock-guard.ts";
import { CounterForwarder, type WatchNotice } from "./counter-forwarder.ts";
import type { Env } from "./env.ts";
import { GatewayChecks } from "./gateway-checks.ts";
import { proberOf, regionsOf, telemetryOf, tunnelOf } from "./objects.ts";
import { gatewayDialerOf } from "./plane.ts";
import { RouterExchange } from "./router-exchange.ts";
import { RouterPolls, readTablePoll } from "./router-polls.ts";
import { RouterWaits } from "./router-waits.ts";
import { sqlDatabaseOf } from "./storage.ts";
import { acceptUpgrade } from "./upgrades.ts";
import { WatchSockets } from "./watch-sockets.ts";

/**
 * Delay after a failed alarm, milliseconds. The platform's own retries end after six, and no alarm would
 * follow.
 */
const alarmRetryMs = 5_000;
/** Messages of agents that one transaction applies: more would keep polls waiting. */
const maxMessagesTogether = 100;

/**
 * The base class with the operations, for the compiler. The static block below adds them to the prototype.
 */
const OperationsObject = DurableObject<Env> as abstract new (
  ctx: DurableObjectState,
  env: Env,
) => DurableObject<Env> & RegistryOperations;

/** The registry, one object per mesh. */
export class MeshRegistry extends OperationsObject implements RouterExchangeApi, WatchNotice {
  readonly #registry: Registry;
  readonly #agents: AgentSockets;
  readonly #watchers: WatchSockets;
  readonly #clockGuard: ClockGuard;
  readonly #gatewayChecks: GatewayChecks;
  readonly #waits: RouterWaits;
  readonly #polls: RouterPolls;
  readonly #exchange: RouterExchange;
  /** Null if telemetry is off. */
  readonly #counters: CounterForwarder | null;
  /** Messages of agents that wait to be applied in one transaction. */
  readonly #messages: ReceivedMessage[] = [];
  #applying: Promise<void> | null = null;
  /** Time of the alarm, epoch milliseconds; null: not set. */
  #alarmAtMs: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#agents = new AgentSockets(ctx);
    this.#watchers = new WatchSockets(ctx);
    this.#clockGuard = new ClockGuard(ctx);
    this.#gatewayChecks = new GatewayChecks(gatewayDialerOf(env));
    this.#registry = new Registry(new RegistryStore(sqlDatabaseOf(ctx.storage)), {
      clock: () => Date.now(),
      newId: randomId,
      newSecret: randomBase36,
      sealSecret: env.OPERATOR_TOKEN ?? "",
      addresses: addressRulesOf(env),
      meshName: env.MESH_NAME,
      regions: regionsOf(env),
    });
    this.#waits = new RouterWaits(this.#registry);
    this.#counters = this.#newForwarder();
    this.#polls = new RouterPolls({
      registry: this.#registry,
      waits: this.#waits,
      mesh: { name: env.MESH_NAME, domain: env.MESH_DOMAIN.toLowerCase() },
      tokenMarks: [env.OPERATOR_TOKEN, env.VIEWER_TOKEN].flatMap((token) =>
        token ? [tokenMark(token)] : [],
      ),
      run: (work) => this.#run(work),
    });
    this.#exchange = new RouterExchange({
      registry: this.#registry,
      waits: this.#waits,
      counters: this.#counters,
      run: (work) => this.#run(work),
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = await ctx.storage.getAlarm();
      this.#run(() => this.#registry.start(new Set(this.#agents.lastSeen(Date.now()).keys())));
    });
  }

  static {
    for (const name of operationNames) installOperation(name);

    function installOperation<Name extends OperationName>(name: Name): void {
      const isRead = operations[name].kind === "read";
      const method = function (this: MeshRegistry, ...args: OperationArgs<Name>): OperationResult<Name> {
        const registry: RegistryOperations = this.#registry;
        this.#clockGuard.check(callerTime(name, args));
        if (!isRead) return this.#run(() => registry[name](...args));
        this.#followClock();
        return registry[name](...args);
      };
      Object.defineProperty(MeshRegistry.prototype, name, { value: method });
    }
  }

  /** A router's call, which may wait for a newer table. */
  exchange(call: RouterCall): Promise<RouterReply> {
    this.#clockGuard.check(call.callerMs);
    this.#followClock();
    return this.#exchange.answer(call);
  }

  /** Notice of the telemetry object: it begins to be watched. */
  async telemetryWatched(): Promise<void> {
    this.#counters?.noteWatched();
  }

  override fetch(request: Request): Response | Promise<Response> {
    this.#followClock();
    if (new URL(request.url).pathname === "/mesh/router/table") {
      const poll = readTablePoll(request);
      return typeof poll === "string"
        ? Response.json({ message: poll }, { status: 400 })
        : this.#polls.answer(poll);
    }
    return acceptUpgrade(request, {
      registry: this.#registry,
      agents: this.#agents,
      watchers: this.#watchers,
    });
  }

  override async webSocketMessage(ws: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    const socket = this.#agents.touch(ws, Date.now());
    if (socket === null) return;
    const parsed = readAgentMessage(frame, socket.greeted);
    if (parsed.ok && parsed.message.type === "hello") this.#agents.markGreeted(ws);
    this.#messages.push({ nodeId: socket.nodeId, parsed, client: socket.client ?? null });
    if (this.#messages.length >= maxMessagesTogether) this.#applyMessages();
    // Messages that wait already are delivered before the timer.
    this.#applying ??= scheduler.wait(0).then(() => this.#applyMessages());
    return this.#applying;
  }

  /** Applies the messages that wait. */
  #applyMessages(): void {
    this.#applying = null;
    const messages = this.#messages.splice(0);
    if (messages.length > 0) this.#carryOut(() => this.#registry.agents.receiveAll(messages));
  }

  override webSocketClose(ws: WebSocket): void {
    const nodeId = this.#agents.disconnectedNode(ws);
    if (nodeId !== null) this.#run(() => this.#registry.agents.socketClosed(nodeId));
  }

  override webSocketError(ws: WebSocket): void {
    this.webSocketClose(ws);
  }

  override alarm(): void {
    this.#alarmAtMs = null;
    try {
      this.#run(() => {
        this.#registry.agents.checkHeartbeats(this.#agents.lastSeen(Date.now()));
        this.#registry.runDueDeadlines();
      });
    } catch (error) {
      console.error({ what: "the registry's alarm failed and will run again", error: String(error) });
      this.#setAlarm(Date.now() + alarmRetryMs);
    }
  }

  /** Runs `work` after the messages that came before it. */
  #run<T>(work: () => T): T {
    this.#applyMessages();
    return this.#carryOut(work);
  }

  /**
   * Runs `work`, then carries out its effects. There is no await in between, so rows and alarm are saved
   * together.
   */
  #carryOut<T>(work: () => T): T {
    const result = work();
    const effects = this.#registry.takeEffects();
    for (const assignment of effects.assignments) this.#agents.assign(assignment, Date.now());
    for (const { nodeId, taskIds } of effects.probes) this.#agents.probe(nodeId, taskIds);
    for (const { nodeId, code, reason } of effects.closes) {
      this.#agents.close(nodeId, code, reason);
      if (code === closeCodes.notAMember) this.#closeTunnel(nodeId, reason);
    }
    for (const check of effects.gatewayChecks) this.#checkGateway(check);
    for (const region of effects.wakes) this.#wake(region);
    for (const session of effects.endedSessions) this.#watchers.closeSession(session);
    this.#watchers.broadcast(effects);
    if (effects.tableVersion !== null || effects.hasNewKeys) this.#waits.wakeAll();
    for (const { nodeId } of effects.closes) this.#waits.wake(nodeId);
    this.#setAlarm(effects.nextDeadlineMs);
    return result;
  }

  #newForwarder(): CounterForwarder | null {
    // A configuration of an earlier release has no such binding: telemetry is off then.
    if (this.env.TELEMETRY === undefined) return null;
    return new CounterForwarder({
      send: (deltas, waitedMs) => telemetryOf(this.env).countAll([...deltas], Date.now(), [...waitedMs]),
      nowMs: () => Date.now(),
      onWatched: () => this.#waits.wakeAll(),
      areCallsFree: this.env.MESH_MODE === "local",
    });
  }

  /**
   * Sets the deadlines and the alarm again if the clock was set back: the platform holds an alarm until the
   * clock shows its time. Changes do so by themselves.
   */
  #followClock(): void {
    if (this.#registry.isClockSetBack()) this.#run(() => this.#registry.followClock());
  }

  /** Does not wait for the gateway; its answer is a change of its own. */
  #checkGateway(request: GatewayCheckRequest): void {
    const check = this.#gatewayChecks.run(request);
    if (check === null) return;
    const { nodeId, transport, url } = request;
    const recorded = check.then((problem) =>
      this.#run(() => this.#registry.recordGatewayCheck(nodeId, { transport, url, problem })),
    );
    this.ctx.waitUntil(recorded);
  }

  /** Closes the tunnel of a node that was removed. Does not wait. */
  #closeTunnel(nodeId: string, reason: string): void {
    const work = tunnelOf(this.env, nodeId)?.disconnect(closeCodes.notAMember, reason);
    this.ctx.waitUntil(
      Promise.resolve(work).catch((error: unknown) =>
        console.error({ what: "a node's tunnel could not be closed", nodeId, error: String(error) }),
      ),
    );
  }

  /** Does not wait: a prober that is unreachable is woken again when its region has been silent. */
  #wake(region: string): void {
    const wake = async () => proberOf(this.env, region)?.wake(region, Date.now());
    this.ctx.waitUntil(
      // A prober that starts again, to follow the clock, fails the first call.
      wake()
        .catch(wake)
        .catch((error: unknown) =>
          console.error({ what: "a prober could not be woken", region, error: String(error) }),
        ),
    );
  }

  /** Sets the alarm unless an earlier one is set. Setting it writes a row; an early alarm does no harm. */
  #setAlarm(atMs: number | null): void {
    if (atMs === null || (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs)) return;
    this.#alarmAtMs = atMs;
    void this.ctx.storage.setAlarm(atMs);
  }
}

/** Reads the variables about addresses, and which transports are bound. An entry that cannot be read confirms nothing, and is logged. */
function addressRulesOf(env: Env): AddressRules {
  const { MESH_MODE, NODE_ADDRESSES, OWN_SOCKETS, CONTROL_HOST, TUNNEL, VPC } = env;
  // A self-hosted workerd binds an unset variable as null.
  const { patterns, unreadable } = readHostPatterns(NODE_ADDRESSES ?? "");
  for (const entry of unreadable) console.error({ what: "cannot read an entry of NODE_ADDRESSES", entry });
  return {
    mode: MESH_MODE,
    nodeAddresses: patterns,
    ownSockets: readOwnSockets(`${OWN_SOCKETS ?? ""},${CONTROL_HOST ?? ""}`),
    hasTunnel: TUNNEL !== undefined,
    hasVpc: VPC !== undefined,
  };
}

/** What the caller's clock showed, for the operations whose callers say so. */
function callerTime(name: OperationName, args: readonly unknown[]): number | undefined {
  const positions: Partial<Record<OperationName, number>> = { nodes: 0, table: 1, pollTable: 2 };
  const position = positions[name];
  const time = position === undefined ? undefined : args[position];
  return typeof time === "number" ? time : undefined;
}
