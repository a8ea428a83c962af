// The process that runs the Workers runtime of a mesh on this machine: workerd under Miniflare, with storage
// in the state folder. It opens one socket for the control API and one for the listeners of published ports.
// A split mesh (infra/split) has two such processes; the data plane gets the routing table from the other
// one. On a node or a balancer machine it runs that machine's data plane alone.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare, type MiniflareOptions, Response as MiniflareResponse } from "miniflare";
import { wait } from "../agent/wait.ts";
import type { ExitAccess } from "../proxy/plane.ts";
import type { WorkerBundle } from "./bundle.ts";
import { cachedBundle } from "./bundle-cache.ts";
import { runChild } from "./child.ts";
import { readClosedPorts } from "./closed-ports.ts";
import type { PlatformSettings } from "./platform/platform-settings.ts";
import type { NetworkAccess } from "./platform-network.ts";
import { PlatformWatch } from "./platform-watch.ts";
import { databaseFolder, logFolder, type MeshSecrets } from "./state-folder.ts";
import { meshEntry, nodePlaneEntry, platformIsolateEntry, platformMeshEntry } from "./worker-entries.ts";
import { databaseInUseCode, launchWorkerd } from "./workerd.ts";
import { workerdStartError } from "./workerd-start-error.ts";

export type RuntimeInput = MeshRuntimeInput | NodeRuntimeInput;

/** The data plane of one machine of a mesh. */
type NodeRuntimeInput = {
  readonly part: "node";
  readonly stateDir: string;
  /** All variables of its Worker. */
  readonly variables: Readonly<Record<string, string>>;
};

/** A mesh on this machine, or a part of it. */
export type MeshRuntimeInput = {
  readonly part: "whole" | "control" | "traffic";
  readonly stateDir: string;
  readonly balancerPort: number;
  readonly secrets: MeshSecrets;
  /** Null under the platform's rules, where there is no exit. */
  readonly exitAccess: ExitAccess | null;
  /** The platform's rules; null for a mesh without them. */
  readonly platform: PlatformInput | null;
  readonly variables: Readonly<Record<string, string>>;
  /** What the variables NODE_ADDRESSES and OWN_SOCKETS list. */
  readonly nodeAddresses: readonly string[];
  readonly ownSockets: readonly string[];
};

/** The platform's rules, and the network that they allow. */
export type PlatformInput = { readonly settings: PlatformSettings; readonly network: NetworkAccess };

/** Ports at 127.0.0.1 to which the listeners of this mesh forward; null for those of the other part. */
export type RuntimeReady = { readonly controlPort: number | null; readonly entryPort: number | null };

/**
 * Miniflare starts workerd again at once and on the same ports. If workerd exits again within this time, this
 * process exits: its parent waits longer before each attempt, and the next workerd has other ports.
 */
const minWorkerdRunMs = 10_000;

/** Longer than Miniflare takes to start workerd again. It does not report each failure to do so. */
const workerdRestartTimeoutMs = 30_000;

/** How long a workerd whose start has failed may take to exit. */
const workerdExitTimeoutMs = 2_000;

runChild<RuntimeInput, RuntimeReady>(async (input, notify) => {
  const bundles = await bundlesOf(input);
  // A killed predecessor leaves its entry, which Miniflare would take for a running one for minutes.
  if (isSplit(input)) rmSync(join(devRegistryOf(input), workerName(input.part)), { force: true });
  let state: "starting" | "running" | "stopping" = "starting";
  let lastExitMs = Number.NEGATIVE_INFINITY;
  let restartTimer: NodeJS.Timeout | undefined;
  let workerdPid: number | null = null;
  const giveUp = async (event: string): Promise<void> => {
    await notify({ event });
    process.exit(1);
  };
  const startExit = Promise.withResolvers<number | string>();
  launchWorkerd(hasDatabase(input) ? input.stateDir : null, {
    onSpawn: (started) => {
      workerdPid = started;
      void notify({ started });
    },
    onExit: async (exit) => {
      if (state === "starting") startExit.resolve(exit);
      if (state !== "running") return;
      const ranMs = Date.now() - lastExitMs;
      lastExitMs = Date.now();
      if (ranMs >= minWorkerdRunMs) {
        restartTimer = setTimeout(giveUp, workerdRestartTimeoutMs, "workerd was not started again in time");
        return notify({ event: `workerd exited (${exit}); starting it again` });
      }
      await giveUp(`workerd exited (${exit}) within ${ranMs} ms of its restart`);
    },
  });
  const miniflare = await startMiniflare(input, bundles, startExit.promise, () => {
    clearTimeout(restartTimer);
    return notify({ event: "workerd is running again" });
  });
  state = "running";
  const watch =
    input.part === "node" || input.platform === null
      ? null
      : new PlatformWatch({
          settings: input.platform.settings,
          entryKey: input.secrets.entryKey,
          miniflare,
          workerdPid: () => workerdPid,
          onEvent: (event) => void notify({ event }),
          onReport: (report) => void notify({ report }),
        });
  const stop = async (): Promise<void> => {
    state = "stopping";
    clearTimeout(restartTimer);
    await watch?.stop();
    await miniflare.dispose();
  };
  return { ready: await openPorts(miniflare, input.part), stop };
});

/** The program of the Worker, and of an isolate of its data plane if those are apart. */
type Bundles = { readonly worker: WorkerBundle; readonly isolate: WorkerBundle | null };

async function bundlesOf(input: RuntimeInput): Promise<Bundles> {
  if (platformOf(input) === null) {
    return { worker: await cachedBundle(input.part === "node" ? nodePlaneEntry : meshEntry), isolate: null };
  }
  return {
    worker: await cachedBundle(platformMeshEntry),
    isolate: await cachedBundle(platformIsolateEntry),
  };
}

function platformOf(input: RuntimeInput): PlatformInput | null {
  return input.part === "node" ? null : input.platform;
}

/**
 * Starts Miniflare.
 *
 * @param workerdExit resolves with the exit of a workerd that does not start
 * @param onRestart called when Miniflare has started workerd again
 * @throws Error if workerd does not start
 */
async function startMiniflare(
  input: RuntimeInput,
  bundles: Bundles,
  workerdExit: Promise<number | string>,
  onRestart: () => Promise<void>,
): Promise<Miniflare> {
  const miniflare = new Miniflare({
    ...miniflareOptions(input, bundles),
    // The heap of an isolate is known to its inspector only.
    ...(platformOf(input) !== null && { inspectorPort: 0 }),
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.WARN),
    unsafeHandleRuntimeRestart: onRestart,
  });
  await miniflare.ready.catch(async (error: Error) => {
    // Miniflare may fail on a pipe to workerd before workerd has exited.
    const exit = (await Promise.race([workerdExit, wait(workerdExitTimeoutMs)])) ?? null;
    if (exit === databaseInUseCode) throw databaseInUseError(input.stateDir);
    throw new Error(workerdStartError(error.message, exit, logFolder(input.stateDir)), { cause: error });
  });
  // Miniflare ends the process on a signal without waiting; runChild stops it in order.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(signal);
  return miniflare;
}

function databaseInUseError(stateDir: string): Error {
  return new Error(
    `another workerd has the database in ${databaseFolder(stateDir)} open: stop it, or wait until it has ended`,
  );
}

/** workerd chooses its ports as it opens them, so that no other process can take one in between. */
async function openPorts(miniflare: Miniflare, part: RuntimeInput["part"]): Promise<RuntimeReady> {
  const portOf = async (socket: DirectSocket): Promise<number | null> => {
    if (!directSockets[part].includes(socket)) return null;
    const url = await miniflare.unsafeGetDirectURL(workerName(part), socket);
    return Number(url.port);
  };
  return { controlPort: await portOf("Control"), entryPort: await portOf("Entry") };
}

type DirectSocket = "Control" | "Entry";

const directSockets: Readonly<Record<RuntimeInput["part"], readonly DirectSocket[]>> = {
  whole: ["Control", "Entry"],
  control: ["Control"],
  traffic: ["Entry"],
  node: ["Entry"],
};

function hasDatabase({ part }: RuntimeInput): boolean {
  return part === "whole" || part === "control";
}

/** True for a process of a split mesh. */
function isSplit({ part }: RuntimeInput): boolean {
  return part === "control" || part === "traffic";
}

/** Where the two processes of a split mesh find each other. */
function devRegistryOf({ stateDir }: RuntimeInput): string {
  return join(stateDir, "workers");
}

function workerName(part: RuntimeInput["part"]): string {
  return { whole: "waggle", control: "waggle", traffic: "waggle-traffic", node: "waggle-node" }[part];
}

function miniflareOptions(input: RuntimeInput, { worker, isolate }: Bundles): MiniflareOptions {
  return {
    cf: false,
    logRequests: false,
    ...(hasDatabase(input) && { resourcePersistencePath: databaseFolder(input.stateDir) }),
    // Otherwise Miniflare keeps a registry in the user's home folder, which may be read-only, for all of their meshes.
    ...(isSplit(input) ? { unsafeDevRegistryPath: devRegistryOf(input) } : { enableDevRegistry: false }),
    workers: [
      {
        config: {
          name: workerName(input.part),
          compatibilityDate: worker.compatibilityDate,
          compatibilityFlags: ["enable_request_signal"],
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents: worker.source } },
          },
          env: input.part === "node" ? textBindings(input.variables) : bindings(input, isolate),
          ...(hasDatabase(input) && { exports: durableObjects }),
        },
        dev: {
          unsafeDirectSockets: directSockets[input.part].map((entrypoint) => {
            return { host: "127.0.0.1", port: 0, entrypoint };
          }),
        },
      },
    ],
  };
}

const durableObjects = {
  MeshRegistry: { type: "durable-object", storage: "sqlite" },
  MeshTelemetry: { type: "durable-object", storage: "sqlite" },
  MeshProber: { type: "durable-object", storage: "sqlite" },
  MeshTunnel: { type: "durable-object", storage: "sqlite" },
} as const;

/** The bindings of wrangler.toml, with the values of this mesh. */
function bindings(input: MeshRuntimeInput, isolate: WorkerBundle | null) {
  const durableObject = (exportName: keyof typeof durableObjects) => {
    return { type: "durable-object" as const, worker: "waggle", exportName };
  };
  const variables = variablesOf(input);
  return {
    REGISTRY: durableObject("MeshRegistry"),
    TELEMETRY: durableObject("MeshTelemetry"),
    PROBER: durableObject("MeshProber"),
    TUNNEL: durableObject("MeshTunnel"),
    ...textBindings(variables),
    // The control API asks for the ports that the listeners, in another process, could not open.
    LISTENERS: {
      type: "fetcher" as const,
      handler: async () => MiniflareResponse.json(await readClosedPorts(input.stateDir)),
    },
    ...(input.platform !== null && isolate !== null && platformBindings(input.platform, variables, isolate)),
  };
}

function variablesOf(input: MeshRuntimeInput): Readonly<Record<string, string>> {
  const { secrets, exitAccess, platform, balancerPort, variables, nodeAddresses, ownSockets } = input;
  return {
    PROBE_REGIONS: "",
    OPERATOR_TOKEN: secrets.token,
    VIEWER_TOKEN: secrets.viewerToken,
    ENTRY_KEY: secrets.entryKey,
    ...(exitAccess !== null && { EXIT_URL: exitAccess.url, EXIT_SECRET: exitAccess.secret }),
    MESH_NAME: "waggle",
    MESH_DOMAIN: "",
    CONTROL_HOST: "",
    REGISTRY_LOCATION: "",
    TRUSTED_PROXIES: "",
    NODE_ADDRESSES: nodeAddresses.join(","),
    OWN_SOCKETS: ownSockets.join(","),
    MESH_MODE: platform === null ? "local" : "edge",
    BALANCER_PORT: String(balancerPort),
    ...variables,
  };
}

/** What workers/platform/mesh.ts needs besides. */
function platformBindings(
  { settings, network }: PlatformInput,
  variables: Readonly<Record<string, string>>,
  { source, compatibilityDate }: WorkerBundle,
) {
  const json = <Value>(value: Value) => ({ type: "json" as const, value });
  return {
    LOADER: { type: "worker-loader" as const },
    PLATFORM: json(settings),
    NETWORK_URL: json(network.url),
    NETWORK_SECRET: json(network.secret),
    ISOLATE: json({ source, compatibilityDate }),
    ISOLATE_VARIABLES: json(variables),
  };
}

function textBindings(variables: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, { type: "json" as const, value }]),
  );
}
