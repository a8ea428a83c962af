// Prepares the ingress of a machine for its agent.

import type { NodeIngress } from "../agent/ingress.ts";
import { dialedHost, isLoopback } from "../domain/model/dialed-host.ts";
import { MeshError } from "../domain/model/error.ts";
import { layout } from "../package/program-files.ts";
import { MachineIngress, type MachineIngressOptions } from "./machine-ingress.ts";
import { holderNote } from "./reload-file.ts";
import { ReloadRequests } from "./reload-requests.ts";
import { removeSavedTable } from "./router-link.ts";
import { workerdProgram } from "./workerd.ts";

export type NodeIngressOptions = MachineIngressOptions & {
  /** Accepts a control URL by which others could read the keys of the mesh. */
  readonly insecure: boolean;
  /** Replaces the process that serves the ports at SIGUSR2; null: an outer process replaces this one. */
  readonly reload: { readonly stateDir: string; readonly log: (line: string) => void } | null;
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
  const { reload } = options;
  let running: MachineIngress | null = null;
  // Until this process ends: without a handler the signal would end it, also while no ingress runs.
  if (reload !== null)
    new ReloadRequests(reload.stateDir, reload.log, async () => {
      if (running === null) throw new Error("not replaced: no port is served here");
      return running.replace();
    });
  return {
    lockNote: reload === null ? {} : holderNote,
    start: async (context) => {
      running = await MachineIngress.start(options, context);
      return running;
    },
    forget: removeSavedTable,
  };
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

function fatalError(code: MeshError["code"], message: string, cause?: unknown): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never", cause });
}
