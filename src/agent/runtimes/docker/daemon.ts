// The Docker daemon of this machine: how the agent reaches it, and whether it can run tasks with it.

import Docker from "dockerode";
import { MeshError } from "../../../domain/model/error.ts";

/** The oldest API that has every field the agent sends: Docker 20.10. */
const oldestApi = "1.41";
/** The newest API that the agent was written for; a newer daemon is asked in this one. */
const newestApi = "1.52";
const defaultSocket = "/var/run/docker.sock";

/** A daemon that answers, asked in the newest API that both sides know. */
export type DockerDaemon = { readonly docker: Docker; readonly socketPath: string; readonly api: string };

type Ping = { readonly apiVersion: string };
type Version = {
  readonly Os?: string;
  readonly MinAPIVersion?: string;
  readonly Components?: readonly { readonly Name?: string; readonly Version?: string }[];
};

/**
 * Connects to the daemon at `DOCKER_HOST`, by default /var/run/docker.sock.
 *
 * @throws MeshError runtime/invalid, runtime/unavailable with what to do
 * @see docs/decisions/0090-docker-runtime.md
 */
export async function connectDaemon(env: NodeJS.ProcessEnv): Promise<DockerDaemon> {
  const socketPath = socketOf(env.DOCKER_HOST ?? "");
  const { apiVersion } = await ping(socketPath);
  const api = compareVersions(apiVersion, newestApi) < 0 ? apiVersion : newestApi;
  const docker = new Docker({ socketPath, version: `v${api}` });
  try {
    checkEngine((await docker.version()) as unknown as Version, socketPath, apiVersion);
    checkReachableBridge(await docker.info(), socketPath);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw unreachable(socketPath, error);
  }
  return { docker, socketPath, api };
}

/** Compares `1.41` and `1.9` by their numbers. */
export function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA - majorB || minorA - minorB;
}

/** True if the daemon did not answer at all, so that the same call may work later. */
export function isUnreachable(error: unknown): boolean {
  return typeof (error as { statusCode?: unknown } | null)?.statusCode !== "number";
}

/** The HTTP status of an error of the daemon; null if it did not answer. */
export function statusOf(error: unknown): number | null {
  const { statusCode } = error as { readonly statusCode?: number };
  return statusCode ?? null;
}

/** What the daemon said, without the status line that dockerode puts before it. */
export function errorText(error: unknown): string {
  const { json, message } = error as { json?: { message?: unknown }; message?: unknown };
  const text = typeof json?.message === "string" ? json.message : String(message ?? error);
  return text.replace(/^\(HTTP code \d+\) [^-]* - /, "").trim();
}

function socketOf(dockerHost: string): string {
  if (dockerHost === "") return defaultSocket;
  if (dockerHost.startsWith("unix://")) return dockerHost.slice("unix://".length) || defaultSocket;
  throw unusable(
    `DOCKER_HOST is "${dockerHost}": the agent dials containers on the bridge of its own machine, so write it as unix:///var/run/docker.sock`,
  );
}

async function ping(socketPath: string): Promise<Ping> {
  // Without a version in the path, because an old daemon refuses newer ones and a new daemon older ones.
  const docker = new Docker({ socketPath });
  try {
    const { ApiVersion } = await docker.version();
    return { apiVersion: ApiVersion };
  } catch (error) {
    throw unreachable(socketPath, error);
  }
}

function checkEngine(version: Version, socketPath: string, apiVersion: string): void {
  const podman = version.Components?.find(({ Name }) => /podman/i.test(Name ?? ""));
  if (podman !== undefined) {
    throw unusable(
      `${socketPath} is a socket of Podman ${podman.Version ?? ""}, whose events and networks differ: the agent needs Docker Engine 20.10 or later; set DOCKER_HOST to its socket, or use --runtime process`,
    );
  }
  if (version.Os === "windows") {
    throw unusable(`the daemon at ${socketPath} runs Windows containers: the agent runs Linux containers`);
  }
  if (compareVersions(apiVersion, oldestApi) < 0) {
    throw unusable(
      `the daemon at ${socketPath} speaks API ${apiVersion}: the agent needs ${oldestApi} (Docker 20.10) or later`,
    );
  }
  const { MinAPIVersion = oldestApi } = version;
  if (compareVersions(newestApi, MinAPIVersion) < 0) {
    throw unusable(
      `the daemon at ${socketPath} speaks API ${MinAPIVersion} and later, the agent up to ${newestApi}: update the agent`,
    );
  }
}

/** The gateway dials containers on their bridge, which some daemons have in another network namespace. */
function checkReachableBridge(
  info: { readonly SecurityOptions?: readonly string[]; readonly OperatingSystem?: string },
  socketPath: string,
): void {
  const isRootless = info.SecurityOptions?.some((option) => option.includes("name=rootless")) ?? false;
  const isDesktop = info.OperatingSystem === "Docker Desktop";
  if (!isRootless && !isDesktop) return;
  const kind = isDesktop ? "Docker Desktop" : "a rootless daemon";
  throw unusable(
    `${socketPath} belongs to ${kind}, whose bridge this machine cannot reach: use a daemon that runs as root on this machine, or --runtime process`,
  );
}

function unreachable(socketPath: string, error: unknown): MeshError {
  const { code } = error as { readonly code?: string };
  const advice: Readonly<Record<string, string>> = {
    EACCES: `no permission to use ${socketPath}: run the agent as root, or add its user to the group docker`,
    EPERM: `no permission to use ${socketPath}: run the agent as root, or add its user to the group docker`,
    ENOENT: `there is no Docker daemon at ${socketPath}: start dockerd, or set DOCKER_HOST=unix:///path`,
    ECONNREFUSED: `the Docker daemon at ${socketPath} does not run: start it (systemctl start docker)`,
  };
  const message = advice[code ?? ""] ?? `no Docker daemon answers at ${socketPath}: ${errorText(error)}`;
  return new MeshError("runtime/unavailable", message, { blame: "operator", retry: "safe", cause: error });
}

function unusable(message: string): MeshError {
  return new MeshError("runtime/invalid", message, { blame: "operator", retry: "never" });
}
