// Writes a service as the Engine API's Service.

import type { NetworkAddress } from "../../domain/model/network.ts";
import type { PublishedPort, Service, UpdateProgress } from "../../domain/model/service.ts";
import { omitEmpty } from "./omit-empty.ts";
import { withDefaults, withStatedFields } from "./service-defaults.ts";
import { timeText } from "./units.ts";

/** Numbers of running, desired and, of a job, completed slots. */
type ServiceCounts = { readonly running: number; readonly desiredTasks: number; readonly completed: number };

/**
 * The Engine API's Service. Its Spec is the stored document, with the fields that dockerd always states:
 * the Docker CLI edits the Spec and sends it back whole, so that another default would return as the operator's
 * input.
 *
 * @param counts null unless the request has `status=true`
 * @param insertDefaults shows the values that apply where the Spec has none
 */
export function writeService(service: Service, counts: ServiceCounts | null, insertDefaults = false) {
  const document = insertDefaults
    ? withDefaults(service.document, service.spec)
    : withStatedFields(service.document);
  const spec = document as { EndpointSpec?: unknown };
  return {
    ID: service.id,
    Version: { Index: service.version },
    CreatedAt: timeText(service.createdAtMs),
    UpdatedAt: timeText(service.updatedAtMs),
    Spec: spec,
    ...(service.previous && { PreviousSpec: withStatedFields(service.previous.document) }),
    Endpoint: {
      Spec: spec.EndpointSpec ?? {},
      ...(service.ports.length > 0 && { Ports: service.ports.map(writePort) }),
      ...(service.virtualIps !== undefined &&
        service.virtualIps.length > 0 && { VirtualIPs: service.virtualIps.map(writeVirtualIp) }),
    },
    ...(service.update && { UpdateStatus: writeUpdate(service.update) }),
    ...(counts && { ServiceStatus: writeCounts(service, counts) }),
    ...(service.job && {
      JobStatus: {
        JobIteration: omitEmpty({ Index: service.job.iteration }),
        LastExecution: timeText(service.job.startedAtMs),
      },
    }),
  };
}

/** As in SwarmKit, the desired tasks of a replicated job are those that may run at a time. */
function writeCounts({ spec: { mode } }: Service, { running, desiredTasks, completed }: ServiceCounts) {
  const desired = mode.kind === "replicated-job" ? mode.maxConcurrent : desiredTasks;
  return { RunningTasks: running, DesiredTasks: desired, CompletedTasks: completed };
}

function writeVirtualIp({ networkId, address }: NetworkAddress) {
  return { NetworkID: networkId, Addr: address };
}

function writeUpdate({ state, message, startedAtMs, completedAtMs }: UpdateProgress) {
  return {
    State: state,
    StartedAt: timeText(startedAtMs),
    ...(completedAtMs !== null && { CompletedAt: timeText(completedAtMs) }),
    Message: message,
  };
}

export function writePort({ target, published, mode }: PublishedPort) {
  return { Protocol: "tcp", TargetPort: target, PublishedPort: published, PublishMode: mode };
}
