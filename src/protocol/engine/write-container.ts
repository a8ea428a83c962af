// Writes a task that was started as the Engine API's container, of which `docker ps` and Swarm's labels make a list
// of tasks.

import { humanDuration } from "../../domain/model/human-duration.ts";
import type { Service } from "../../domain/model/service.ts";
import { isAlive, type Task, taskName, taskStates } from "../../domain/model/task.ts";
import { containerId } from "./container-id.ts";
import type { EngineContainer } from "./container-schema.ts";
import { omitEmpty } from "./omit-empty.ts";
import type { EngineTaskTemplate } from "./service-schema.ts";
import { timeText } from "./units.ts";
import { writeHostConfig } from "./write-host-config.ts";
import { hostPorts } from "./write-task.ts";

/** A task that was started, and its service; undefined if that was removed while the task still stops. */
export type Container = { readonly task: Task; readonly service: Service | undefined };

/** Docker's states of a container. */
export type ContainerState = "created" | "running" | "exited" | "dead";

/** `my-web.1.<task id>`, as a Swarm names its containers. */
export function containerName({ task, service }: Container): string {
  return `${taskName(service?.spec.name ?? task.serviceId, task)}.${task.id}`;
}

export function containerState({ state }: Pick<Task, "state">): ContainerState {
  if (state === "running") return "running";
  if (state === "orphaned") return "dead";
  return taskStates[state] < taskStates.running ? "created" : "exited";
}

/** The labels that a Swarm sets on a container, after those of the service's own ContainerSpec. */
export function containerLabels(container: Container): Readonly<Record<string, string>> {
  const { task, service } = container;
  return {
    ...containerSpec(task).Labels,
    "com.docker.swarm.node.id": task.nodeId ?? "",
    "com.docker.swarm.service.id": task.serviceId,
    "com.docker.swarm.service.name": service?.spec.name ?? "",
    "com.docker.swarm.task": "",
    "com.docker.swarm.task.id": task.id,
    "com.docker.swarm.task.name": containerName(container),
  };
}

/** A row of GET /containers/json. */
export function writeContainerSummary(container: Container, nowMs: number) {
  const { task } = container;
  return {
    Id: containerId(task),
    Names: [`/${containerName(container)}`],
    Image: task.run.image,
    ImageID: "",
    Command: [...task.run.command, ...task.run.args].join(" "),
    Created: Math.floor(task.createdAtMs / 1_000),
    Ports: writePorts(container),
    Labels: containerLabels(container),
    State: containerState(task),
    Status: statusText(task, nowMs),
    HostConfig: { NetworkMode: "default" },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  };
}

/** GET /containers/ID/json. */
export function writeContainer(container: Container) {
  const { task } = container;
  const { image, command, args, env, dir, stopSignal, targets } = task.run;
  const spec = containerSpec(task);
  const ports = Object.fromEntries(
    writePorts(container).map(({ PrivatePort, PublicPort, IP }) => [
      `${PrivatePort}/tcp`,
      PublicPort === undefined ? null : [{ HostIp: IP, HostPort: String(PublicPort) }],
    ]),
  );
  const bound = Object.entries(ports).flatMap(([port, bindings]) =>
    bindings === null ? [] : [[port, bindings.map(({ HostPort }) => ({ HostIp: "", HostPort }))] as const],
  );
  const [path = "", ...rest] = [...command, ...args];
  const state = containerState(task);
  const endedAtMs = isAlive(task) ? null : (task.endedAtMs ?? task.stateSinceMs);
  return {
    Id: containerId(task),
    Created: timeText(task.createdAtMs),
    Path: path,
    Args: rest,
    State: {
      Status: state,
      Running: state === "running",
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: state === "dead",
      Pid: task.pid ?? 0,
      ExitCode: task.exitCode ?? 0,
      Error: task.err,
      StartedAt: timeOrZero(task.ranSinceMs ?? null),
      FinishedAt: timeOrZero(endedAtMs),
      ...(task.health !== null && {
        Health: { Status: healthWord(task), FailingStreak: failingStreak(task), Log: [] },
      }),
    },
    Image: "",
    ResolvConfPath: "",
    HostnamePath: "",
    HostsPath: "",
    LogPath: "",
    Name: `/${containerName(container)}`,
    RestartCount: 0,
    Driver: "waggle",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: null,
    HostConfig: writeHostConfig(templateOf(task), Object.fromEntries(bound)),
    GraphDriver: { Data: null, Name: "waggle" },
    Mounts: [],
    Config: {
      Hostname: spec.Hostname ?? "",
      Domainname: "",
      User: spec.User ?? "",
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      ...omitEmpty({ ExposedPorts: Object.fromEntries(targets.map((target) => [`${target}/tcp`, {}])) }),
      Tty: spec.TTY ?? false,
      OpenStdin: spec.OpenStdin ?? false,
      StdinOnce: false,
      Env: env,
      Cmd: args.length > 0 ? args : null,
      ...omitEmpty({ Healthcheck: spec.Healthcheck }),
      Image: image,
      Volumes: null,
      WorkingDir: dir,
      Entrypoint: command.length > 0 ? command : null,
      Labels: containerLabels(container),
      ...omitEmpty({ StopSignal: stopSignal }),
    },
    NetworkSettings: {
      Bridge: "",
      SandboxID: "",
      SandboxKey: "",
      Ports: ports,
      HairpinMode: false,
      LinkLocalIPv6Address: "",
      LinkLocalIPv6PrefixLen: 0,
      SecondaryIPAddresses: null,
      SecondaryIPv6Addresses: null,
      EndpointID: "",
      Gateway: "",
      GlobalIPv6Address: "",
      GlobalIPv6PrefixLen: 0,
      IPAddress: "",
      IPPrefixLen: 0,
      IPv6Gateway: "",
      MacAddress: "",
      Networks: {},
    },
  };
}

/** Docker's words for a task's health; `none` if its agent checks nothing. */
export function healthWord({ health }: Pick<Task, "health">): "none" | "starting" | "healthy" | "unhealthy" {
  return health?.verdict ?? "none";
}

function failingStreak({ health }: Task): number {
  return health === null || health.streak.ok ? 0 : health.streak.length;
}

/** As in a Swarm, a container itself publishes the ports of mode host only. */
function writePorts({ task, service }: Container): ContainerPort[] {
  const published = new Map(
    (task.state === "running" ? hostPorts(task, service) : []).map((port) => [port.target, port.published]),
  );
  return task.run.targets.map((target) => {
    const port = published.get(target);
    return {
      ...(port !== undefined && { IP: "0.0.0.0" }),
      PrivatePort: target,
      ...(port !== undefined && { PublicPort: port }),
      Type: "tcp",
    };
  });
}

type ContainerPort = { IP?: string; PrivatePort: number; PublicPort?: number; Type: string };

/** `Up 5 minutes (healthy)`, `Exited (1) 3 seconds ago`. */
function statusText(task: Task, nowMs: number): string {
  const state = containerState(task);
  if (state === "created") return "Created";
  if (state === "dead") return "Dead";
  if (state === "running") {
    const upMs = Math.max(0, nowMs - (task.ranSinceMs ?? task.stateSinceMs));
    const word = healthWord(task);
    const health = word === "none" ? "" : word === "starting" ? " (health: starting)" : ` (${word})`;
    return `Up ${humanDuration(upMs)}${health}`;
  }
  const endedMs = Math.max(0, nowMs - (task.endedAtMs ?? task.stateSinceMs));
  return `Exited (${task.exitCode ?? 0}) ${humanDuration(endedMs)} ago`;
}

/** Its fields were checked when its service was created. */
function templateOf({ document }: Task): EngineTaskTemplate {
  return (document ?? {}) as EngineTaskTemplate;
}

function containerSpec(task: Task): EngineContainer {
  return templateOf(task).ContainerSpec ?? {};
}

/** Go's zero time stands for no time. */
function timeOrZero(atMs: number | null): string {
  return atMs === null ? "0001-01-01T00:00:00Z" : timeText(atMs);
}
