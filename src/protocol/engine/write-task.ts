// Writes a task as the Engine API's Task.

import type { Network } from "../../domain/model/network.ts";
import type { PublishedPort, Service } from "../../domain/model/service.ts";
import { shownDesiredState, type Task } from "../../domain/model/task.ts";
import { containerId, hasContainer } from "./container-id.ts";
import { writeAttachedNetwork } from "./network-schema.ts";
import { omitEmpty } from "./omit-empty.ts";
import { timeText } from "./units.ts";
import { writePort } from "./write-service.ts";

/**
 * @param service the task's service; undefined if it was removed while the task still stops
 * @param networks of the mesh, by id
 * @param warning shown as the error of a running task without one
 */
export function writeTask(
  task: Task,
  service: Service | undefined,
  networks: ReadonlyMap<string, Network>,
  warning = "",
) {
  const err = task.err || (task.state === "running" ? warning : "");
  // A task of a global service has its node from the start.
  const nodeId = task.nodeId ?? task.forNode ?? null;
  const ports = task.state === "running" ? hostPorts(task, service) : [];
  return {
    ID: task.id,
    Version: { Index: task.version },
    CreatedAt: timeText(task.createdAtMs),
    UpdatedAt: timeText(task.stateSinceMs),
    Labels: {},
    Spec: task.document,
    ServiceID: task.serviceId,
    // As in Docker, a task of a global service has no slot, and a task that is not placed has no node.
    ...writeSlot(task),
    ...(nodeId !== null && { NodeID: nodeId }),
    Status: {
      Timestamp: timeText(task.stateSinceMs),
      State: task.state,
      Message: task.message,
      ...(err !== "" && { Err: err }),
      ...containerStatus(task),
      PortStatus: ports.length > 0 ? { Ports: ports.map(writePort) } : {},
    },
    DesiredState: shownDesiredState(task),
    ...(task.jobIteration !== undefined && { JobIteration: omitEmpty({ Index: task.jobIteration }) }),
    ...attachments(task, networks),
  };
}

/** SwarmKit numbers the slots of a job from 0, and the Docker CLI's progress of a job counts from there. */
function writeSlot({ slot, jobIteration }: Task) {
  const shown = jobIteration === undefined ? slot : slot - 1;
  return shown > 0 ? { Slot: shown } : {};
}

function attachments({ addresses = [] }: Task, networks: ReadonlyMap<string, Network>) {
  const attached = addresses.flatMap(({ networkId, address }) => {
    const network = networks.get(networkId);
    return network === undefined ? [] : [{ Network: writeAttachedNetwork(network), Addresses: [address] }];
  });
  return attached.length === 0 ? {} : { NetworksAttachments: attached };
}

/** Its container and process; absent until it was started. */
function containerStatus(task: Task) {
  if (!hasContainer(task)) return {};
  const { pid, exitCode } = task;
  return {
    ContainerStatus: {
      ContainerID: containerId(task),
      PID: pid ?? 0,
      ExitCode: exitCode ?? 0,
    },
  };
}

/**
 * Host-mode ports. A port that was requested without a number is published where the runtime put it: at a port of
 * the host, or at the port that the process listens on.
 */
export function hostPorts(task: Task, service: Service | undefined): readonly PublishedPort[] {
  const requests = service?.spec.ports.filter(({ mode }) => mode === "host") ?? [];
  return requests.flatMap(({ target, published, mode }) => {
    const origin = task.endpoints.find((endpoint) => endpoint.target === target)?.origin;
    const chosen = task.hostPorts?.find((port) => port.target === target)?.published;
    const port = published ?? chosen ?? Number(URL.parse(origin ?? "")?.port);
    return port > 0 ? [{ target, published: port, mode }] : [];
  });
}
