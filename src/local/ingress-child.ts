// The process of a machine's ingress: follows the routing table of the mesh, keeps the published ports open as
// listeners, and runs the data plane behind them in a workerd of its own.

import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { routeUrl } from "../agent/join.ts";
import { wait } from "../agent/wait.ts";
import type { ClosedPort } from "../domain/model/node-listeners.ts";
import { maxClosedListeners } from "../domain/model/node-listeners.ts";
import { printableUpTo } from "../domain/model/printable.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { relayPath } from "../gateway/relay.ts";
import { descriptorLimit } from "../net/descriptor-limit.ts";
import type { JoinReply, ListenersReport } from "../protocol/agent.ts";
import type { GatewayKey } from "../proxy/attempt-signer.ts";
import { entryHeader } from "../proxy/entry-facts.ts";
import { readLimits } from "../proxy/limits.ts";
import type { ExitAccess } from "../proxy/plane.ts";
import { TcpRouter } from "../proxy/tcp/tcp-router.ts";
import { flushIntervalMs } from "../telemetry/flusher.ts";
import { type ChildStop, runChild } from "./child.ts";
import { DescriptorBudget, defaultMaxWaiting, exitDescriptors } from "./descriptor-budget.ts";
import { watchDescriptors } from "./descriptors.ts";
import { TargetDialer } from "./dial-target.ts";
import { InheritedSockets } from "./kept-sockets.ts";
import { longestBodyTimeoutMs } from "./listener-limits.ts";
import { controlIdentity, sealFacts } from "./listener-profile.ts";
import {
  type DesiredListener,
  listenersOfBalancer,
  listenersOfNode,
  PublishedPorts,
  type TlsPorts,
} from "./published-ports.ts";
import { RouterLink, type SavedTable } from "./router-link.ts";
import { RouterRelay } from "./router-relay.ts";
import { RuntimeAgent } from "./runtime-agent.ts";
import type { RuntimeInput, RuntimeReady } from "./runtime-child.ts";
import { ServerExit } from "./server-exit.ts";
import { logFolder } from "./state-folder.ts";
import { SupervisedChild } from "./supervised-child.ts";
import { reportTcpTraffic } from "./tcp-reports.ts";
import { CertificateStore } from "./tls/certificate-store.ts";
import { readUsedCertificates, usedCertificatesRecord } from "./tls/used-certificates.ts";

export type IngressInput = {
  /** The control URL of the mesh. */
  readonly url: string;
  readonly membership: JoinReply;
  /** The node whose ports to open; null: those of a balancer. */
  readonly node: { readonly name: string; readonly runtime: "process" | "docker" } | null;
  /** The address to listen on. */
  readonly address: string;
  /** A balancer's port for the default service; null: none. */
  readonly defaultPort: number | null;
  /** The ports that speak TLS, with the paths of their certificates; null: none does. */
  readonly tls: (TlsPorts & { readonly paths: readonly string[] }) | null;
  readonly stateDir: string;
  /** True if another process serves the sockets that this one gets, and goes on if this one cannot. */
  readonly isSuccessor: boolean;
  /** Variables of the data plane's Worker. */
  readonly variables: Readonly<Record<string, string>>;
};

/** What the process reports each time it changes. */
export type IngressReport =
  | { readonly listeners: ListenersReport }
  /** Its ports are open, and requests are routed. */
  | { readonly isServing: true }
  /** The reason why it cannot serve a port, or use a certificate, that another process does. */
  | { readonly refused: string };

/** How long the Worker may take to route by a table, milliseconds; then the next poll tries again. */
const routeTimeoutMs = 2_000;
/** Interval of asking it, milliseconds. */
const routePollMs = 60;

const sockets = new InheritedSockets();

runChild<IngressInput, null>(async (input, notify) => {
  const log = (event: string): void => void notify({ event });
  const maxDescriptors = descriptorLimit();
  const watch = watchDescriptors(maxDescriptors, log);
  const limits = readLimits(input.variables);
  let bodyTimeoutMs = longestBodyTimeoutMs(limits, []);
  const exitLimit = exitDescriptors(maxDescriptors);
  const exit = await ServerExit.open(exitLimit, log);
  const plane = new NodePlane(input, exit.access, log, (started) => void notify({ started }));
  const report = (text: IngressReport): void => void notify({ report: text });
  const listeners = new ListenersState((state) => report({ listeners: state }));
  const certificates = input.tls === null ? null : new CertificateStore(input.tls.paths, log);
  const usedBefore = input.isSuccessor ? readUsedCertificates(input.stateDir) : [];
  const budget = new DescriptorBudget(maxDescriptors, defaultMaxWaiting, exitLimit);
  const router = new TcpRouter(Date.now, Math.random, randomUUID());
  let gatewayKeys: readonly GatewayKey[] = [];
  const signing = { keys: () => gatewayKeys, signingKey: () => router.routes?.signingKey ?? null };
  const { nodeId, credential } = input.membership;
  const relayAddress = {
    url: routeUrl(input.url, relayPath.slice(1)).href,
    router: { nodeId, credential },
  };
  const dialer = new TargetDialer(randomUUID(), signing, Date.now, relayAddress);
  const ports = new PublishedPorts(
    plane.agent,
    plane.entryKey,
    log,
    (closed) => listeners.setClosed(closed),
    { budget, bodyTimeoutMs: () => bodyTimeoutMs },
    { router, dialer, budget },
    { sockets, certificates },
  );
  let isServing = false;
  const refusesTakeover = (desired: readonly DesiredListener[]): boolean => {
    if (isServing || !input.isSuccessor) return false;
    const problem = ports.takeoverProblem(desired) ?? certificates?.lossOf(usedBefore) ?? null;
    if (problem !== null) report({ refused: problem });
    return problem !== null;
  };
  const onTable = async (saved: SavedTable, table: RoutingTable): Promise<number> => {
    bodyTimeoutMs = longestBodyTimeoutMs(
      limits,
      table.services.map(({ options }) => options ?? {}),
    );
    gatewayKeys = saved.gatewayKeys ?? gatewayKeys;
    router.setTable(table);
    exit.setTable(table);
    const desired = desiredListeners(input, table);
    const open = async (): Promise<void> => {
      await ports.apply(desired);
      listeners.setDesired(desired.length);
    };
    // The ports open first, so that a request waits while workerd starts. Those that are open already have another
    // process that serves them, or requests wait there.
    const isFirst = !sockets.hasUntaken;
    // Before any port opens: the clients of a refused process would lose their connections.
    if (refusesTakeover(desired)) return -1;
    if (isFirst) await open();
    await plane.start(relay.url, saved.mesh);
    const version = await plane.routeBy(saved.version);
    if (!isFirst) await open();
    if (refusesTakeover(desired)) return -1;
    if (!isServing) {
      sockets.dropUntaken();
      certificates?.recordIn(usedCertificatesRecord(input.stateDir, log));
      report({ isServing: true });
    }
    isServing = true;
    return version;
  };
  const { url, membership, stateDir } = input;
  const link = new RouterLink({ url, membership, stateDir, onTable, log });
  const relay = await RouterRelay.open(link, plane.relayKey);
  const endReports = reportTcpTraffic(router.traffic, (route, body) => link.report(route, body));
  link.start();
  const stop = async (how?: ChildStop): Promise<void> => {
    watch.stop();
    certificates?.close();
    if (how?.isReplaced === true) {
      // The process that replaces this one polls.
      await link.stopPolling();
      await ports.drain(how.graceMs);
    } else {
      await ports.close(how?.graceMs);
    }
    await endReports();
    // Until the Worker has sent its last counters.
    if (how?.isReplaced === true) await wait(2 * flushIntervalMs);
    await link.stop();
    await plane.stop();
    await exit.close();
    relay.close();
  };
  return { ready: null, stop };
});

function desiredListeners(
  { node, membership, address, defaultPort, tls }: IngressInput,
  table: RoutingTable,
): readonly DesiredListener[] {
  if (node === null) return listenersOfBalancer(table, address, defaultPort, tls);
  return listenersOfNode(table, { id: membership.nodeId, ...node }, address, tls);
}

/** What the agent reports about the listeners; reports it when it changes. */
class ListenersState {
  readonly #onChange: (report: ListenersReport) => void;
  #desired = 0;
  #closed: readonly ClosedPort[] = [];
  #reported = "";

  constructor(onChange: (report: ListenersReport) => void) {
    this.#onChange = onChange;
  }

  setDesired(count: number): void {
    this.#desired = count;
    this.#report();
  }

  setClosed(closed: readonly ClosedPort[]): void {
    this.#closed = closed;
    this.#report();
  }

  #report(): void {
    const closed = this.#closed
      .slice(0, maxClosedListeners)
      .map(({ port, why, sinceMs }) => ({ port, why: printableUpTo(why, 200), sinceMs }));
    const report = { open: Math.max(0, this.#desired - this.#closed.length), closed };
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#onChange(report);
  }
}

/** The data plane of this machine in its workerd, which is started again when it dies. */
class NodePlane {
  readonly entryKey = randomBytes(24).toString("base64url");
  readonly relayKey = randomBytes(24).toString("base64url");
  readonly agent: RuntimeAgent;
  readonly #input: IngressInput;
  readonly #exit: ExitAccess;
  readonly #log: (line: string) => void;
  readonly #onProcess: (pid: number) => void;
  readonly #upstream = { host: "127.0.0.1", port: 0 };
  #runtime: SupervisedChild<RuntimeReady> | null = null;
  #mesh = "";
  #routedVersion = -1;

  constructor(
    input: IngressInput,
    exit: ExitAccess,
    log: (line: string) => void,
    onProcess: (pid: number) => void,
  ) {
    this.#input = input;
    this.#exit = exit;
    this.#log = log;
    this.#onProcess = onProcess;
    this.agent = new RuntimeAgent(this.#upstream);
  }

  /**
   * Starts workerd, unless it runs. If it cannot start, or the mesh has been given another name, this process
   * ends, and the agent starts it again.
   */
  async start(relayUrl: string, mesh: SavedTable["mesh"]): Promise<void> {
    const meshText = JSON.stringify(mesh);
    if (this.#runtime !== null && meshText === this.#mesh) return;
    if (this.#runtime !== null) await this.#end("the mesh's name or domain has changed");
    this.#mesh = meshText;
    const { url, membership, stateDir, variables } = this.#input;
    const input: RuntimeInput = {
      part: "node",
      stateDir,
      variables: {
        TRUSTED_PROXIES: "",
        ...variables,
        ENTRY_KEY: this.entryKey,
        EXIT_URL: this.#exit.url,
        EXIT_SECRET: this.#exit.secret,
        MESH_MODE: "local",
        MESH_NAME: mesh.name,
        MESH_DOMAIN: mesh.domain,
        CONTROL_URL: relayUrl,
        NODE_ID: membership.nodeId,
        NODE_CREDENTIAL: this.relayKey,
        RELAY_URL: routeUrl(url, relayPath.slice(1)).href,
        RELAY_CREDENTIAL: membership.credential,
      },
    };
    const program = {
      module: "runtime-child" as const,
      name: `${stateDir}:ingress-runtime`,
      input,
      logFile: join(logFolder(stateDir), "ingress-runtime.log"),
      title: "its Workers runtime",
      onReady: ({ entryPort }: RuntimeReady) => {
        this.#upstream.port = entryPort ?? 0;
      },
    };
    try {
      this.#runtime = await SupervisedChild.start(program, { log: this.#log, onProcess: this.#onProcess });
    } catch (error) {
      await this.#end(`its Workers runtime did not start: ${(error as Error).message}`);
    }
  }

  /** Has the Worker take the newest table. @returns the version that it routes by */
  async routeBy(version: number): Promise<number> {
    const deadlineMs = performance.now() + routeTimeoutMs;
    while (performance.now() < deadlineMs) {
      const routed = await this.#askVersion();
      // Without a workerd no request is routed; the next one starts with the newest table.
      if (routed === "unreachable") return version;
      if (routed !== null) this.#routedVersion = routed;
      if (routed !== null && routed >= version) break;
      await new Promise((resolve) => setTimeout(resolve, routePollMs));
    }
    return this.#routedVersion;
  }

  async stop(): Promise<void> {
    await this.#runtime?.stop("SIGTERM");
  }

  async #askVersion(): Promise<number | null | "unreachable"> {
    const facts = {
      role: controlIdentity.role,
      node: null,
      port: null,
      client: "-",
      scheme: "http",
    } as const;
    try {
      const response = await fetch(`http://127.0.0.1:${this.#upstream.port}/`, {
        headers: { [entryHeader]: sealFacts(facts, this.entryKey) },
        signal: AbortSignal.timeout(routeTimeoutMs),
      });
      return response.ok ? ((await response.json()) as { version: number | null }).version : null;
    } catch (error) {
      return (error as Error).name === "TimeoutError" ? null : "unreachable";
    }
  }

  async #end(why: string): Promise<never> {
    this.#log(why);
    await this.#runtime?.stop("SIGTERM");
    return process.exit(1);
  }
}
