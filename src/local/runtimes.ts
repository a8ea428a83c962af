// The Workers runtime of a mesh on this machine: one child process, or two if the mesh is split.

import { join } from "node:path";
import { hostPort } from "../domain/model/server.ts";
import type { ExitAccess } from "../proxy/plane.ts";
import { testNameOf } from "./platform/test-names.ts";
import type { PlatformReport } from "./platform-watch.ts";
import type { Upstream } from "./runtime-agent.ts";
import type { MeshRuntimeInput, PlatformInput, RuntimeReady } from "./runtime-child.ts";
import type { MeshSecrets } from "./state-folder.ts";
import { type ChildContext, SupervisedChild } from "./supervised-child.ts";

export type RuntimesOptions = {
  readonly stateDir: string;
  readonly logDir: string;
  /** The edge's port for the default service. */
  readonly edgePort: number;
  /** Address of the control API and of the edge. */
  readonly listen: string;
  readonly controlPort: number;
  /** The addresses of this mesh's nodes, as in NODE_ADDRESSES. */
  readonly nodeAddresses: readonly string[];
  /** Null under the platform's rules, where there is no exit. */
  readonly exitAccess: ExitAccess | null;
  /** Runs the mesh under the platform's rules. */
  readonly platform: PlatformInput | null;
  /** Receives what a mesh under the rules did so far. */
  readonly onPlatformReport: (report: PlatformReport) => void;
  /** Runs the control API with the registry, and the data plane, as two processes. */
  readonly split?: boolean;
  /** Variables of the data plane's Worker. */
  readonly variables: Readonly<Record<string, string>>;
};

type LocalRuntime = SupervisedChild<RuntimeReady>;

export type Runtimes = {
  readonly control: Upstream;
  readonly entry: Upstream;
  /** In stop order: the process with the registry is last. */
  readonly children: readonly LocalRuntime[];
};

/** Starts them. @throws Error with the reason if one does not start; none is left running then */
export async function startRuntimes(
  options: RuntimesOptions,
  secrets: MeshSecrets,
  context: ChildContext,
): Promise<Runtimes> {
  const control = { host: "127.0.0.1", port: 0 };
  const entry = { host: "127.0.0.1", port: 0 };
  const onReady = ({ controlPort, entryPort }: RuntimeReady): void => {
    control.port = controlPort ?? control.port;
    entry.port = entryPort ?? entry.port;
  };
  const start = (part: MeshRuntimeInput["part"], name: string): Promise<LocalRuntime> => {
    const {
      stateDir,
      logDir,
      listen,
      controlPort,
      edgePort,
      nodeAddresses,
      variables,
      exitAccess,
      platform,
    } = options;
    const hosts = platform === null ? [listen] : [listen, testNameOf(listen)];
    const ownSockets = hosts.flatMap((host) => [controlPort, edgePort].map((port) => hostPort(host, port)));
    const input: MeshRuntimeInput = {
      part,
      stateDir,
      balancerPort: edgePort,
      secrets,
      exitAccess,
      platform,
      variables,
      nodeAddresses,
      ownSockets,
    };
    const program = {
      module: "runtime-child" as const,
      name: `${stateDir}:${name}`,
      input,
      logFile: join(logDir, `${name}.log`),
      title: titles[part],
      onReady,
      onReport: (report: unknown) => options.onPlatformReport(report as PlatformReport),
    };
    return SupervisedChild.start(program, context);
  };
  if (options.split !== true) return { control, entry, children: [await start("whole", "runtime")] };
  const registry = await start("control", "runtime");
  try {
    return { control, entry, children: [await start("traffic", "traffic"), registry] };
  } catch (error) {
    await registry.stop("SIGTERM");
    throw error;
  }
}

const titles: Readonly<Record<MeshRuntimeInput["part"], string>> = {
  whole: "the Workers runtime",
  control: "the Workers runtime of the registry",
  traffic: "the Workers runtime of the data plane",
};
