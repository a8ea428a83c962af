// Table cells of services and tasks, as Docker prints them.

import type { EnginePortConfig, EngineService, EngineTask } from "../engine.ts";
import { hasTag } from "./spec.ts";

/** Shortens `docker.io/library/nginx:latest@sha256:…` to `nginx:latest`. */
export function imageText(image: string): string {
  const [tagged = "", digest] = image.split("@");
  const name = tagged.replace(/^docker\.io\//, "").replace(/^library\//, "");
  return digest === undefined || hasTag(name) ? name : `${name}@${digest}`;
}

/** `*:8080->80/tcp`: the ingress ports; consecutive ports are merged into ranges. */
export function ingressPorts(ports: readonly EnginePortConfig[]): string {
  const sorted = ports
    .filter((port) => port.PublishMode !== "host")
    .sort((a, b) => protocolOf(a).localeCompare(protocolOf(b)) || publishedOf(a) - publishedOf(b));
  return mergeRanges(sorted).map(printRange).join(", ");
}

/** `*:8090->80/tcp`: the ports that a task publishes on its node. */
export function taskPorts(task: EngineTask): string {
  const ports = task.Status.PortStatus?.Ports ?? [];
  return ports.map((port) => `*:${publishedOf(port)}->${port.TargetPort}/${protocolOf(port)}`).join(",");
}

/** `replicated`, `global`, `replicated job`, `global job`. */
export function modeName(service: EngineService): string {
  const { Global, GlobalJob, ReplicatedJob } = service.Spec.Mode ?? {};
  if (ReplicatedJob) return "replicated job";
  if (GlobalJob) return "global job";
  return Global ? "global" : "replicated";
}

/** `2/3`, `2/3 (max 1 per node)`; of a job `1/1 (3/3 completed)`. */
export function replicasText(service: EngineService): string {
  const running = service.ServiceStatus?.RunningTasks ?? 0;
  const desired = service.ServiceStatus?.DesiredTasks ?? service.Spec.Mode?.Replicated?.Replicas ?? 0;
  const completed = service.ServiceStatus?.CompletedTasks ?? 0;
  const { ReplicatedJob, GlobalJob } = service.Spec.Mode ?? {};
  if (ReplicatedJob || GlobalJob) {
    const completions = ReplicatedJob?.TotalCompletions ?? desired + completed;
    return `${running}/${desired} (${completed}/${completions} completed)`;
  }
  const max = service.Spec.TaskTemplate.Placement?.MaxReplicas ?? 0;
  return max > 0 ? `${running}/${desired} (max ${max} per node)` : `${running}/${desired}`;
}

/** `my-web.1`, or `agent.<node id>` for a global service. */
export function engineTaskName(task: EngineTask, serviceName: string): string {
  return `${serviceName}.${task.Slot || (task.NodeID ?? "")}`;
}

type PublishedRange = { readonly protocol: string; first: EnginePortConfig; last: EnginePortConfig };

function mergeRanges(sorted: readonly EnginePortConfig[]): readonly PublishedRange[] {
  const ranges: PublishedRange[] = [];
  for (const port of sorted) {
    const range = ranges.at(-1);
    if (range !== undefined && isContinuation(range, port)) range.last = port;
    else ranges.push({ protocol: protocolOf(port), first: port, last: port });
  }
  return ranges;
}

/** Docker's rule: the next published port, with the next target port or the same one for the whole range. */
function isContinuation(range: PublishedRange, port: EnginePortConfig): boolean {
  const publishedStep = publishedOf(port) - publishedOf(range.last);
  const targetStep = port.TargetPort - range.last.TargetPort;
  const targetsAreRange = range.last.TargetPort !== range.first.TargetPort;
  if (range.protocol !== protocolOf(port) || publishedStep > 1) return false;
  return targetStep === 1 || (targetStep === 0 && !targetsAreRange);
}

function printRange({ protocol, first, last }: PublishedRange): string {
  const published = rangeText(publishedOf(first), publishedOf(last));
  return `*:${published}->${rangeText(first.TargetPort, last.TargetPort)}/${protocol}`;
}

function rangeText(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function protocolOf(port: EnginePortConfig): string {
  return port.Protocol ?? "tcp";
}

function publishedOf(port: EnginePortConfig): number {
  return port.PublishedPort ?? 0;
}
