// Starts the ingress of a machine for its agent, in a supervised process.

import { join } from "node:path";
import type { IngressContext, NodeIngress, RunningIngress } from "../agent/ingress.ts";
import { listenHost } from "../agent/runtimes/ports.ts";
import { dialedHost, isLoopback } from "../domain/model/dialed-host.ts";
import { MeshError } from "../domain/model/error.ts";
import { layout } from "../package/program-files.ts";
import { ListenersReport } from "../protocol/agent.ts";
import type { IngressInput, IngressReport } from "./ingress-child.ts";
import { KeptSockets } from "./kept-sockets.ts";
import { removeSavedTable } from "./router-link.ts";
import { logFolder, makePrivateFolder } from "./state-folder.ts";
import { SupervisedChild } from "./supervised-child.ts";
import { workerdProgram } from "./workerd.ts";

export type NodeIngressOptions = {
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
  /** Accepts a control URL by which others could read the keys of the mesh. */
  readonly insecure: boolean;
  /** Variables of the data plane's Worker. */
  readonly variables: Readonly<Record<string, string>>;
};

/**
 * Prepares the ingress of a machine.
 *
 * @param url the control URL of the mesh
 * @throws MeshError url/invalid, package/not-found; address/invalid when it is started
 */
export function nodeIngress(url: string, options: NodeIngressOptions): NodeIngress {
  requirePrivateUrl(url, options.insecure);
  requireWorkerd();
  return { start: (context) => startIngress(options, context), forget: removeSavedTable };
}

/**
 * The routing table comes with the mesh's keys, which prove requests to every gateway.
 *
 * @throws MeshError url/invalid for plain HTTP to another machine, unless that is accepted
 */
function requirePrivateUrl(url: string, insecure: boolean): void {
  const { protocol, hostname } = new URL(url);
  const host = dialedHost(hostname.replace(/^\[|\]$/g, ""));
  if (insecure || protocol === "https:" || (host !== null && isLoopback(host))) return;
  throw fatalError(
    "url/invalid",
    `${url} is plain HTTP, by which others could read the keys of the mesh: use https://, or accept that with --insecure in a network that you trust`,
  );
}

/** @throws MeshError package/not-found without a workerd for this machine */
function requireWorkerd(): void {
  if (layout === "agent") {
    throw fatalError(
      "package/not-found",
      "an ingress runs the data plane in workerd, which is not a part of this file: use `waggle agent --ingress` or `waggle edge` of the installed package (docs/install.md)",
    );
  }
  try {
    workerdProgram();
  } catch (cause) {
    const how = layout === "sources" ? "npm ci, without --omit=dev" : "npm install, without --omit=optional";
    throw fatalError(
      "package/not-found",
      `an ingress runs the data plane in workerd, which is missing: install with ${how}, on Linux with glibc or on macOS, x64 or arm64`,
      cause,
    );
  }
}

async function startIngress(
  { listen, defaultPort, tls, sockets, drainMs, variables }: NodeIngressOptions,
  { url, hostname, address, stateDir, kind, membership, runtime, onListeners, handOver, log }: IngressContext,
): Promise<RunningIngress> {
  const kept = sockets ?? new KeptSockets(null);
  const input = {
    url,
    membership,
    node: kind === "balancer" ? null : { name: hostname, runtime },
    address: listen ?? (await listenHost(address)),
    defaultPort,
    tls,
    stateDir,
    isSuccessor: handOver?.isSuccessor === true,
    variables,
  };
  // A process that the supervisor starts later has no other one beside it.
  void handOver?.isAlone.then(() => {
    input.isSuccessor = false;
  });
  makePrivateFolder(logFolder(stateDir));
  const program = {
    module: "ingress-child" as const,
    name: `${stateDir}:ingress`,
    input,
    logFile: join(logFolder(stateDir), "ingress.log"),
    title: "the ingress",
    sockets: kept,
    onReady: () => {},
    onReport: (report: unknown) => {
      const change = report as IngressReport;
      if ("isServing" in change) handOver?.serving();
      else if ("refused" in change) handOver?.refused(change.refused);
      else onListeners(ListenersReport.parse(change.listeners));
    },
  };
  const child = await SupervisedChild.start<null>(program, { log, onProcess: () => {} });
  return {
    stop: () => {
      // New clients are refused at once, instead of waiting in a socket that no process serves.
      kept.dropAll();
      return child.stopServing({ graceMs: drainMs, isReplaced: false });
    },
    handOver: (graceMs) => {
      // A port that is unpublished later must not stay open in this process.
      kept.release();
      return child.stopServing({ graceMs, isReplaced: true });
    },
  };
}

function fatalError(code: MeshError["code"], message: string, cause?: unknown): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never", cause });
}
