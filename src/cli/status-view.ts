// Renders the status screen: the mesh, its nodes, services, tasks, static servers and problems.

import { humanDuration } from "../domain/model/human-duration.ts";
import { printable } from "../domain/model/printable.ts";
import { hostPort } from "../domain/model/server.ts";
import { serviceImageText } from "../domain/model/service-image.ts";
import { sizeText } from "../domain/model/service-size.ts";
import { isAlive } from "../domain/model/task.ts";
import { isTakingRequests } from "../protocol/server.ts";
import type { MeshStatus, StatusNode, StatusService, StatusTask } from "../protocol/status.ts";
import { humanAgo } from "./duration.ts";
import { capitalize, compareNaturally, formatTable } from "./output.ts";
import { imageText, ingressPorts } from "./service/view.ts";

/** The screen, with a final newline. Ages are computed with the clock of the mesh. */
export function statusScreen(status: MeshStatus, url: string): string {
  const { services, nowMs } = status;
  const tasks = services.flatMap((service) => service.tasks.filter(isListed));
  const parts = [
    meshLine(status, url),
    nodesPart(status),
    services.length === 0
      ? 'No services; "waggle service create --help" shows how to create one.\n'
      : serviceTable(status),
    ...(tasks.length === 0 ? [] : [taskTable(tasks, nowMs)]),
    ...serverTables(status),
    problemLines(status),
    ...noteLines(status),
  ];
  return parts.join("\n");
}

/** Ended tasks are left to `service ps`. */
function isListed(task: StatusTask): boolean {
  return isAlive({ state: task.state as Parameters<typeof isAlive>[0]["state"] });
}

function meshLine({ mesh, nodes: machines, services }: MeshStatus, url: string): string {
  const nodes = machines.filter(({ kind }) => kind !== "balancer");
  const ready = nodes.filter((node) => node.state === "ready").length;
  const running = sum(services.map((service) => service.running));
  const desired = sum(services.map((service) => service.desired));
  const nodesText = `${ready} of ${nodes.length} nodes ready`;
  const tasksText = `${running} of ${desired} tasks running`;
  return `${printable(`mesh ${mesh.name} at ${url}`)}: ${nodesText}, ${tasksText}, routing table ${mesh.tableVersion}\n`;
}

function nodesPart({ nodes, servers = [], nowMs }: MeshStatus): string {
  if (nodes.length > 0) return nodeTable(nodes, nowMs);
  return servers.length > 0
    ? "No nodes: the balancer sends requests to static servers.\n"
    : 'No nodes; "waggle join-token" shows how to add one.\n';
}

function nodeTable(nodes: readonly StatusNode[], nowMs: number): string {
  const rows = [...nodes]
    .sort((a, b) => compareNaturally(a.name, b.name))
    .map((node) => [
      node.name,
      `${capitalize(node.state)} ${humanAgo(node.stateSinceMs, nowMs)}`,
      node.leaving ? "Leaving" : capitalize(node.availability),
      String(node.running),
      node.address,
      node.gateway?.transport ?? "",
      node.message || (node.gateway?.reason ?? ""),
    ]);
  return formatTable(["NODE", "STATUS", "AVAILABILITY", "TASKS", "ADDRESS", "TRANSPORT", "MESSAGE"], rows);
}

function serviceTable({ services, servers = [] }: MeshStatus): string {
  const byService = Map.groupBy(servers, ({ service }) => service);
  const sizeOf = ({ name, running, desired }: StatusService) => {
    const ofService = byService.get(name) ?? [];
    const up = ofService.filter(isTakingRequests).length;
    return sizeText({ running, desired }, { up, all: ofService.length });
  };
  const rows = [...services]
    .sort((a, b) => compareNaturally(a.name, b.name))
    .map((service) => [
      service.name,
      service.discovered ?? service.mode,
      sizeOf(service),
      serviceImageText(service.image, service.runningImages ?? [], imageText),
      portsText(service),
      service.hosts.join(", "),
    ]);
  return formatTable(["SERVICE", "MODE", "REPLICAS", "IMAGE", "PORTS", "HOSTS"], rows);
}

/** The ingress ports as `service ls` prints them, then the host-mode ports. */
function portsText({ ports }: StatusService): string {
  const ingress = ports
    .filter((port) => port.mode === "ingress")
    .map((port) => ({ TargetPort: port.target, PublishedPort: port.published }));
  const host = ports.filter((port) => port.mode === "host");
  const texts = [
    ingressPorts(ingress),
    ...host.map((port) => `${port.published}->${port.target}/tcp (host)`),
  ];
  return texts.filter((text) => text !== "").join(", ");
}

function taskTable(tasks: readonly StatusTask[], nowMs: number): string {
  const rows = [...tasks]
    .sort((a, b) => compareNaturally(a.name, b.name))
    .map((task) => [
      task.name,
      task.node ?? "",
      `${capitalize(task.state)} ${humanAgo(task.stateSinceMs, nowMs)}${task.desired === "running" ? "" : ", stopping"}`,
      task.heard ? task.haproxy : `${task.haproxy} (last known)`,
      task.health?.lastCheck ?? "",
      task.pid === null ? "" : String(task.pid),
      task.endpoints.map(({ target, origin }) => `${target}=${origin}`).join(" "),
    ]);
  return formatTable(["TASK", "NODE", "STATE", "HEALTH", "LAST CHECK", "PID", "ENDPOINTS"], rows);
}

function serverTables({ servers = [], nowMs }: MeshStatus): string[] {
  if (servers.length === 0) return [];
  const rows = servers.map(({ service, spec, status, sinceMs, lastCheck }) => [
    `${service}/${spec.name}`,
    hostPort(spec.host, spec.port),
    sinceMs === null ? status : `${status} ${humanAgo(sinceMs, nowMs)}`,
    lastCheck,
  ]);
  return [formatTable(["SERVER", "ADDRESS", "STATUS", "LAST CHECK"], rows)];
}

function problemLines({ problems, nowMs, trafficKnown = true }: MeshStatus): string {
  const notice = trafficKnown ? "" : "Traffic statistics are unavailable; failing requests are not shown.\n";
  if (problems.length === 0) return trafficKnown ? "No problems.\n" : notice;
  const heading = problems.length === 1 ? "1 problem:" : `${problems.length} problems:`;
  const lines = problems.flatMap(({ what, why, next, sinceMs }) => {
    const age = sinceMs === null ? "" : ` (for ${humanDuration(nowMs - sinceMs).toLowerCase()})`;
    return [printable(`  ${what}: ${why}${age}`), ...(next === "" ? [] : [printable(`    ${next}`)])];
  });
  return `${[heading, ...lines].join("\n")}\n${notice}`;
}

function noteLines({ notes = [] }: MeshStatus): string[] {
  if (notes.length === 0) return [];
  const lines = notes.map(({ services, why }) =>
    printable(`  ${services.length === 1 ? "service" : "services"} ${services.join(", ")}: ${why}`),
  );
  return [`${["Notes, which are no problems:", ...lines].join("\n")}\n`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
