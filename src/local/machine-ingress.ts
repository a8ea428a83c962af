// The ingress of a machine as its agent runs it: a supervised process that serves the published ports, and the ones
// before it, which finish what they have open.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { IngressContext, RunningIngress } from "../agent/ingress.ts";
import { listenHost } from "../agent/runtimes/ports.ts";
import { ListenersReport } from "../protocol/agent.ts";
import type { IngressInput, IngressReport } from "./ingress-child.ts";
import { KeptSockets } from "./kept-sockets.ts";
import { notReplaced, problemUntilReady, replacedBeside } from "./replacement.ts";
import { logFolder, makePrivateFolder } from "./state-folder.ts";
import { SupervisedChild } from "./supervised-child.ts";

export type MachineIngressOptions = {
  /** The address to listen on; null: the machine's own, as for its gateway. */
  readonly listen: string | null;
  /** A balancer's port for the default service; null: none. */
  readonly defaultPort: number | null;
  /** The ports that speak TLS, with the paths of their certificates; null: none does. */
  readonly tls: IngressInput["tls"];
  /** Keeps the listening sockets when the process that serves them is replaced; null: a keeper of its own. */
  readonly sockets: KeptSockets | null;
  /** How long open requests may take when the machine stops, milliseconds. */
  readonly drainMs: number;
  /** How long connections of a replaced process may go on, milliseconds. */
  readonly reloadMs: number;
  /** Variables of the data plane's Worker. */
  readonly variables: Readonly<Record<string, string>>;
};

/** One process, with what it has said so far. */
type IngressProcess = {
  readonly child: SupervisedChild<null>;
  readonly serving: Promise<void>;
  /** Resolves with the reason why it serves nothing. */
  readonly refused: Promise<string>;
  /** Whether its reports count. */
  readonly reports: Reports;
  /** Its supervisor starts it again as it is now. */
  readonly input: { isSuccessor: boolean };
};

type Reports = { areCounted: boolean; listeners: ListenersReport | null };

export class MachineIngress implements RunningIngress {
  readonly #options: MachineIngressOptions;
  readonly #context: IngressContext;
  readonly #kept: KeptSockets;
  /** Replaced processes, each with its end. */
  readonly #draining = new Map<SupervisedChild<null>, Promise<void>>();
  readonly #stopping = new AbortController();
  #current: IngressProcess | null = null;

  private constructor(options: MachineIngressOptions, context: IngressContext) {
    this.#options = options;
    this.#context = context;
    this.#kept = options.sockets ?? new KeptSockets(null);
  }

  /** @throws MeshError address/invalid; Error with the reason if the process does not start */
  static async start(options: MachineIngressOptions, context: IngressContext): Promise<MachineIngress> {
    const ingress = new MachineIngress(options, context);
    const { handOver } = context;
    const first = await ingress.#spawn(handOver?.isSuccessor === true, { areCounted: true, listeners: null });
    ingress.#current = first;
    void first.serving.then(() => handOver?.serving());
    void first.refused.then((why) => handOver?.refused(why));
    // A process that the supervisor starts later has no other one beside it.
    void handOver?.isAlone.then(() => {
      first.input.isSuccessor = false;
    });
    return ingress;
  }

  /**
   * Replaces the process by one of the files that are installed now. The last one finishes what it has open.
   *
   * @throws Error with the reason if the new process does not serve; then the last one goes on
   */
  async replace(): Promise<string> {
    const last = this.#current;
    if (last === null || this.#stopping.signal.aborted)
      throw new Error("not replaced: no port is served here");
    const lastPid = last.child.process.pid;
    const next = await this.#spawn(true, { areCounted: false, listeners: null }).catch((error: Error) => {
      throw notReplaced(`did not start: ${error.message}`, lastPid);
    });
    const problem = await problemUntilReady(next.serving, [next.refused], this.#stopping.signal);
    if (problem !== null) {
      this.#kept.reject(next.child.process);
      await next.child.stop("SIGTERM");
      throw notReplaced(problem, lastPid);
    }
    this.#current = next;
    this.#kept.detach(last.child.process);
    next.input.isSuccessor = false;
    this.#countReports(last, next);
    this.#drain(last.child, this.#options.reloadMs);
    return replacedBeside(next.child.process.pid, lastPid);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // New clients are refused at once, instead of waiting in a socket that no process serves.
    this.#kept.dropAll();
    const { drainMs } = this.#options;
    const deadline = delay(drainMs, undefined, { ref: false });
    await this.#current?.child.stopServing({ graceMs: drainMs, isReplaced: false });
    await Promise.race([Promise.all(this.#draining.values()), deadline]);
    for (const child of this.#draining.keys()) child.kill();
    await Promise.all(this.#draining.values());
  }

  handOver(graceMs: number): Promise<void> {
    // A port that is unpublished later must not stay open in this process.
    this.#kept.release();
    return this.#current?.child.stopServing({ graceMs, isReplaced: true }) ?? Promise.resolve();
  }

  #countReports(last: IngressProcess, { reports }: IngressProcess): void {
    last.reports.areCounted = false;
    reports.areCounted = true;
    if (reports.listeners !== null) this.#context.onListeners(reports.listeners);
  }

  #drain(child: SupervisedChild<null>, graceMs: number): void {
    const { log } = this.#context;
    const { pid } = child.process;
    const ended = child.stopServing({ graceMs, isReplaced: true }).then(() => {
      this.#draining.delete(child);
      log(`process ${pid} has ended`);
    });
    this.#draining.set(child, ended);
  }

  async #spawn(isSuccessor: boolean, reports: Reports): Promise<IngressProcess> {
    const { listen, defaultPort, tls, variables } = this.#options;
    const { url, hostname, address, stateDir, kind, membership, runtime, onListeners, log } = this.#context;
    const input = {
      url,
      membership,
      node: kind === "balancer" ? null : { name: hostname, runtime },
      address: listen ?? (await listenHost(address)),
      defaultPort,
      tls,
      stateDir,
      isSuccessor,
      variables,
    };
    const { promise: serving, resolve: serve } = Promise.withResolvers<void>();
    const { promise: refused, resolve: refuse } = Promise.withResolvers<string>();
    makePrivateFolder(logFolder(stateDir));
    const program = {
      module: "ingress-child" as const,
      name: `${stateDir}:ingress`,
      input,
      logFile: join(logFolder(stateDir), "ingress.log"),
      title: "the ingress",
      sockets: this.#kept,
      onReady: () => {},
      onReport: (report: unknown) => {
        const change = report as IngressReport;
        if ("isServing" in change) serve();
        else if ("refused" in change) refuse(change.refused);
        else {
          reports.listeners = ListenersReport.parse(change.listeners);
          if (reports.areCounted) onListeners(reports.listeners);
        }
      },
    };
    const child = await SupervisedChild.start<null>(program, { log, onProcess: () => {} });
    return { child, serving, refused, reports, input };
  }
}
