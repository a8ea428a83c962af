// A started container as a task: where it listens, how it ends, and what its health check says.

import type { Container, ContainerInspectInfo } from "dockerode";
import type { Endpoint } from "../../../domain/model/task.ts";
import { wait } from "../../wait.ts";
import { httpOrigin } from "../ports.ts";
import type { ExitStatus, RunningTask } from "../runtime.ts";
import type { ContainerEvents } from "./container-events.ts";
import { isUnreachable, statusOf } from "./daemon.ts";
import { openPortsOf } from "./open-ports.ts";

/** Time between attempts to reach a daemon that does not respond, milliseconds. */
const daemonRetryMs = 500;

/** @param targets target ports of the task */
export function runningContainer(
  container: Container,
  inspected: ContainerInspectInfo,
  targets: readonly number[],
  events: ContainerEvents,
): RunningTask {
  const exited = Promise.withResolvers<ExitStatus>();
  const passed = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<string>();
  let isOver = false;
  const follow = (state: ContainerInspectInfo["State"]): void => {
    const { Health } = state;
    if (Health?.Status === "healthy") passed.resolve();
    if (Health?.Status === "unhealthy") failed.resolve(lastCheckOf(Health));
  };
  const end = (status: ExitStatus): void => {
    isOver = true;
    stopWatching();
    exited.resolve(status);
  };
  const look = serialized(async () => {
    if (isOver) return;
    try {
      const now = await container.inspect();
      if (hasEnded(now)) end(exitOf(now));
      else follow(now.State);
    } catch (error) {
      if (statusOf(error) === 404) end(unknownExit("the container was removed"));
      // Otherwise the daemon does not respond; the next connection of the events looks again.
    }
  });
  let stopWatching = () => {};
  stopWatching = events.watch(container.id, look);
  const send = async (signal: string): Promise<boolean> => {
    while (!isOver) {
      try {
        await container.kill({ signal });
        return true;
      } catch (error) {
        if (!isUnreachable(error)) {
          // It does not run any more, or the daemon does not know the signal.
          look();
          return false;
        }
        await wait(daemonRetryMs);
      }
    }
    return true;
  };
  return {
    pid: inspected.State.Pid || null,
    containerId: container.id,
    endpoints: endpointsOf(inspected, targets),
    hostPorts: hostPortsOf(inspected, targets),
    handle: { containerId: container.id },
    exited: exited.promise,
    ...(inspected.State.Health && { healthcheck: { passed: passed.promise, failed: failed.promise } }),
    openPorts: openPortsOf(container.id, inspected.State.Pid, exposedPorts(inspected)),
    signal: send,
    kill: () => void send("SIGKILL"),
  };
}

/** True if a container runs no more. A created one has not started, and one that restarts is not ours. */
export function hasEnded({ State }: Pick<ContainerInspectInfo, "State">): boolean {
  return !State.Running && State.Status !== "created";
}

/** How a container ended, with the reason as far as the daemon knows it. */
export function exitOf(inspected: ContainerInspectInfo): ExitStatus {
  const { ExitCode, OOMKilled, Error: daemonError } = inspected.State;
  const exit = { code: ExitCode, signal: null, isPortTaken: false };
  if (ExitCode === 0) return exit;
  const detail = [OOMKilled ? outOfMemory(inspected) : "", daemonError].filter(Boolean).join(": ");
  return detail === "" ? exit : { ...exit, detail };
}

function outOfMemory({ HostConfig }: ContainerInspectInfo): string {
  const bytes = HostConfig.Memory ?? 0;
  return bytes === 0 ? "out of memory" : `out of memory (its limit is ${Math.round(bytes / 2 ** 20)} MiB)`;
}

function unknownExit(detail: string): ExitStatus {
  return { code: null, signal: null, isPortTaken: false, detail };
}

type ContainerHealth = NonNullable<ContainerInspectInfo["State"]["Health"]>;

/** `exit 1: no answer`, from the newest result of the check. */
function lastCheckOf({ Log }: ContainerHealth): string {
  const last = Log.at(-1);
  if (last === undefined) return "no result";
  const output = last.Output.trim().slice(-300);
  return `exit ${last.ExitCode}${output === "" ? "" : `: ${output}`}`;
}

/** The container's own address on its bridge; no endpoints if it has ended already. */
function endpointsOf({ NetworkSettings }: ContainerInspectInfo, targets: readonly number[]): Endpoint[] {
  const address = Object.values(NetworkSettings.Networks)
    .map(({ IPAddress }) => IPAddress)
    .find((ip) => ip !== "");
  if (address === undefined) return [];
  return targets.map((target) => ({ target, origin: httpOrigin(address, target) }));
}

function hostPortsOf({ NetworkSettings }: ContainerInspectInfo, targets: readonly number[]) {
  return targets.flatMap((target) => {
    const published = Number(NetworkSettings.Ports?.[`${target}/tcp`]?.[0]?.HostPort ?? 0);
    return published > 0 ? [{ target, published }] : [];
  });
}

/** The TCP ports of its image and its service. */
function exposedPorts({ Config }: ContainerInspectInfo): readonly number[] {
  const names = Object.keys(Config.ExposedPorts ?? {}).filter((name) => name.endsWith("/tcp"));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

/** Runs one call at a time; calls that come meanwhile make one more. */
function serialized(work: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    do {
      isWanted = false;
      await work();
    } while (isWanted);
    isRunning = false;
  };
  return () => {
    isWanted = true;
    if (!isRunning) void run();
  };
}
