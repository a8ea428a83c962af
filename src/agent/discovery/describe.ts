// Computes the discovered services of a node from what its Docker daemon shows. Pure: equal containers and Swarms
// give an equal report, in whatever order they were seen.

import { checkLabels } from "../../domain/labels/labels.ts";
import { compareStrings } from "../../domain/model/compare.ts";
import {
  type DiscoveredService,
  type DiscoveredTask,
  type DiscoverySource,
  discoveryLabel,
  type NodeDiscovery,
} from "../../domain/model/discovery.ts";
import { MeshError } from "../../domain/model/error.ts";
import { printableUpTo } from "../../domain/model/printable.ts";
import type { HealthReport } from "../../domain/model/task.ts";
import {
  isDiscoverySize,
  maxDiscoveredServices,
  maxDiscoveredTasks,
  maxWarningLength,
  maxWarnings,
} from "../../protocol/discovery.ts";
import { agentLabel, serviceNameLabel, taskIdLabel } from "../runtimes/docker/container-labels.ts";
import { readTraefik } from "./traefik.ts";

/** A container as its daemon shows it. */
export type ContainerFacts = {
  readonly id: string;
  /** Without the slash. */
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** False also for one that is paused or restarting. */
  readonly isRunning: boolean;
  readonly startedAtMs: number;
  /** Null: it has no health check. */
  readonly health: { readonly status: "starting" | "healthy" | "unhealthy"; readonly output: string } | null;
  /** On a bridge of this machine; null: it has none, and `network` says what it uses instead. */
  readonly address: string | null;
  readonly network: string;
  /** TCP ports that its image names. */
  readonly exposed: readonly number[];
};

/** The Swarm of which the daemon is a manager. */
export type SwarmFacts = {
  /** Id of this daemon's node. */
  readonly nodeId: string;
  readonly hostnames: ReadonlyMap<string, string>;
  readonly services: readonly SwarmService[];
  /** Tasks that run. */
  readonly tasks: readonly { readonly id: string; readonly serviceId: string; readonly nodeId: string }[];
};

type SwarmService = {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly {
    readonly protocol: string;
    readonly target: number;
    readonly published: number;
    readonly mode: string;
  }[];
};

/** What the daemon shows at one time. */
export type DockerFacts = {
  readonly containers: readonly ContainerFacts[];
  /** Null: the daemon is not a manager of a Swarm. */
  readonly swarm: SwarmFacts | null;
};

const serviceLabel = "waggle.service";
const publishLabel = "waggle.publish";
const composeProjectLabel = "com.docker.compose.project";
const composeServiceLabel = "com.docker.compose.service";
const composeOneOffLabel = "com.docker.compose.oneoff";

/** The labels that only the agent reads; the others are the service's. */
const agentOnlyLabels: ReadonlySet<string> = new Set([serviceLabel, publishLabel, discoveryLabel]);

/**
 * The services and tasks to report.
 *
 * @see docs/spec.md N250-N264, N281, N282
 */
export function discover({ containers, swarm }: DockerFacts): NodeDiscovery {
  const running = containers
    .filter(({ isRunning, labels }) => isRunning && isDiscoverable(labels))
    .sort((a, b) => a.startedAtMs - b.startedAtMs || compareStrings(a.id, b.id));
  const own = running.filter(({ labels }) => labels[taskIdLabel] === undefined);
  const ofSwarm = running.filter(({ labels }) => labels[taskIdLabel] !== undefined);
  const byName = Map.groupBy(own, (container) => nameOf(container) ?? "");
  byName.delete("");
  const parts = [
    ...[...byName].map(([name, members]) => containerService(name, members)),
    ...(swarm === null ? [] : swarmServices(swarm, ofSwarm)),
  ].sort((a, b) => compareStrings(a.service.name, b.service.name));
  const unmanaged = swarm === null ? ofSwarm.flatMap((container) => swarmTask(container, null)) : [];
  const services = onePerName(parts);
  return bounded({
    services: services.map(({ service }) => service),
    tasks: [...services.flatMap(({ tasks }) => tasks), ...unmanaged],
  });
}

type ServicePart = { readonly service: DiscoveredService; readonly tasks: readonly DiscoveredTask[] };

/** Of a container's and a Swarm's service of one name, the first with the warning. */
function onePerName(parts: readonly ServicePart[]): readonly ServicePart[] {
  return [...Map.groupBy(parts, ({ service }) => service.name).values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const warnings = others.map(
      ({ service }) =>
        `a second service of this name (${service.source}) on this node is left out: rename it by ${serviceLabel}`,
    );
    return [{ ...first, service: withWarnings(first.service, warnings) }];
  });
}

function isDiscoverable(labels: ContainerFacts["labels"]): boolean {
  return (
    labels[agentLabel] === undefined &&
    labels[discoveryLabel] !== "off" &&
    labels[composeOneOffLabel]?.toLowerCase() !== "true"
  );
}

/** The service that a container belongs to; null if nothing says that it belongs to one. */
function nameOf({ labels, name }: ContainerFacts): string | null {
  const given = labels[serviceLabel];
  if (given !== undefined && given !== "") return serviceName(given);
  const [project, service] = [labels[composeProjectLabel], labels[composeServiceLabel]];
  if (project !== undefined && service !== undefined) return serviceName(`${project}_${service}`);
  const isLabelled =
    Object.keys(labels).some((label) => label.startsWith("waggle.")) || readTraefik(labels).isAsked;
  return isLabelled ? serviceName(name) : null;
}

/** The nearest name that a service may have: at its ends a letter or digit, at most 63 characters. */
function serviceName(text: string): string {
  const name = text.replace(/[^-_a-zA-Z0-9]/g, "-").replace(/^[-_]+/, "");
  let length = Math.min(name.length, 63);
  while (length > 0 && /[-_]/.test(name.charAt(length - 1))) length -= 1;
  return length === 0 ? "unnamed" : name.slice(0, length);
}

function containerService(name: string, members: readonly ContainerFacts[]): ServicePart {
  const [oldest, ...others] = members;
  if (oldest === undefined) throw new Error(`no container of ${name}`);
  const source: DiscoverySource = oldest.labels[composeProjectLabel] === undefined ? "container" : "compose";
  const { labels, ports, warnings } = settingsOf(oldest.labels, oldest.exposed);
  const wanted = JSON.stringify([labels, ports]);
  const differing = others.filter((other) => {
    const settings = settingsOf(other.labels, other.exposed);
    return JSON.stringify([settings.labels, settings.ports]) !== wanted;
  });
  const unreached = members.filter(({ address }) => address === null);
  const service: DiscoveredService = {
    name,
    source,
    image: printableUpTo(oldest.image, 512),
    labels,
    ports,
    warnings: [],
    elsewhere: [],
  };
  return {
    service: withWarnings(service, [
      ...nameWarnings(oldest, name),
      ...warnings,
      ...(differing.length === 0
        ? []
        : [`the labels of container ${oldest.name} count; those of ${namesOf(differing)} differ`]),
      ...unreached.map(noAddressText),
    ]),
    tasks: members.flatMap((container) => taskOf(container, name)),
  };
}

function nameWarnings({ labels }: ContainerFacts, name: string): readonly string[] {
  const given = labels[serviceLabel];
  if (given === undefined || given === name) return [];
  return [`label '${serviceLabel}' is '${given}', which is no service name: it is called ${name}`];
}

/** What the labels ask for. */
type Settings = Pick<DiscoveredService, "labels" | "ports" | "warnings"> & {
  /** A label cannot be read, so that nothing is published. */
  readonly isBroken: boolean;
};

/** The settings of labels; nothing is published if one of the mesh's own labels cannot be read. */
function settingsOf(labels: ContainerFacts["labels"], exposed: readonly number[]): Settings {
  const traefik = readTraefik(labels);
  const own = ownLabels(labels);
  const merged = { ...traefik.labels, ...own };
  const warnings = [...traefik.warnings];
  try {
    const published = readPublish(labels[publishLabel]);
    checkLabels(merged);
    const isAtHost = merged["waggle.host"] !== undefined || merged["waggle.path"] !== undefined;
    if (published.length > 0 || !isAtHost)
      return { labels: merged, ports: published, warnings, isBroken: false };
    const target = traefik.port ?? [...exposed].sort((a, b) => a - b)[0];
    if (target !== undefined) return { labels: merged, ports: [{ target }], warnings, isBroken: false };
    warnings.push(
      `not published: no label names its port; add ${publishLabel}=80, the port that it listens on`,
    );
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    warnings.push(`not published: ${error.message}`);
  }
  return { labels: {}, ports: [], warnings, isBroken: true };
}

function ownLabels(labels: ContainerFacts["labels"]): Readonly<Record<string, string>> {
  const own = Object.entries(labels).filter(
    ([key]) => key.toLowerCase().startsWith("waggle.") && !agentOnlyLabels.has(key),
  );
  return Object.fromEntries(own.sort(([a], [b]) => compareStrings(a, b)));
}

/**
 * Reads `8080:80,8443:443`, published:target as in `docker run -p`; a port alone is a target whose published port
 * the mesh chooses.
 *
 * @throws MeshError label/invalid
 */
export function readPublish(text: string | undefined): DiscoveredService["ports"] {
  const items = (text ?? "").split(",").map((item) => item.trim());
  if (items.length === 1 && items[0] === "") return [];
  return items.map((item) => {
    const [, first = "", second] = /^(\d{1,5})(?::(\d{1,5}))?(?:\/tcp)?$/.exec(item) ?? [];
    const [published, target] =
      second === undefined ? [undefined, Number(first)] : [Number(first), Number(second)];
    if (isPort(target) && (published === undefined || isPort(published)))
      return published === undefined ? { target } : { target, published };
    throw new MeshError(
      "label/invalid",
      `label '${publishLabel}' has '${item}': write TCP ports as 8080:80, published:target`,
      { blame: "operator", retry: "never" },
    );
  });
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** The services of a Swarm with the tasks that run on this machine. */
function swarmServices(swarm: SwarmFacts, containers: readonly ContainerFacts[]): ServicePart[] {
  const byTask = new Map(containers.map((container) => [container.labels[taskIdLabel] ?? "", container]));
  return swarm.services
    .filter(({ labels }) => labels[discoveryLabel] !== "off")
    .map((service) => {
      const name = serviceName(service.labels[serviceLabel] ?? service.name);
      const tasks = swarm.tasks
        .filter(({ serviceId }) => serviceId === service.id)
        .sort((a, b) => compareStrings(a.id, b.id));
      const here = tasks.flatMap(({ id }) => byTask.get(id) ?? []);
      const elsewhere = tasks
        .filter(({ nodeId }) => nodeId !== swarm.nodeId)
        .map(({ id, nodeId }) => ({ swarmTask: id, hostname: swarm.hostnames.get(nodeId) ?? nodeId }));
      const { labels, ports, warnings } = swarmSettings(service);
      const described: DiscoveredService = {
        name,
        source: "swarm",
        image: printableUpTo(service.image, 512),
        labels,
        ports,
        warnings: [],
        elsewhere: elsewhere.slice(0, maxDiscoveredTasks),
      };
      const unreached = here.filter(({ address }) => address === null);
      return {
        service: withWarnings(described, [...warnings, ...unreached.map(noAddressText)]),
        tasks: here.flatMap((container) => swarmTask(container, name)),
      };
    });
}

/** The published ports of a Swarm's service are the mesh's; its labels may add a host name. */
function swarmSettings({ labels, ports }: SwarmService): Settings {
  const settings = settingsOf(
    { ...labels, [publishLabel]: "" },
    ports.map(({ target }) => target),
  );
  const ingress = ports
    .filter(({ mode, protocol }) => mode === "ingress" && protocol === "tcp")
    .map(({ target, published }) => ({ target, published }))
    .sort((a, b) => a.published - b.published);
  const others = ports.filter(({ mode, protocol }) => mode !== "ingress" || protocol !== "tcp");
  const warnings = [
    ...settings.warnings,
    ...others.map(
      ({ published, target, protocol, mode }) =>
        `port ${published}:${target}/${protocol} (${mode}) is not mirrored: only TCP ports in ingress mode are`,
    ),
  ];
  if (settings.isBroken) return { ...settings, warnings };
  return { ...settings, ports: ingress.length > 0 ? ingress : settings.ports, warnings };
}

function taskOf(container: ContainerFacts, service: string): readonly DiscoveredTask[] {
  if (container.address === null) return [];
  return [
    {
      key: `${container.id} ${container.startedAtMs}`,
      service,
      containerId: container.id,
      image: printableUpTo(container.image, 512),
      address: container.address,
      startedAtMs: container.startedAtMs,
      health: healthOf(container),
    },
  ];
}

/** @param service null: this machine is no manager, and only the task's id says what it belongs to */
function swarmTask(container: ContainerFacts, service: string | null): readonly DiscoveredTask[] {
  const name = service ?? serviceName(container.labels[serviceNameLabel] ?? "");
  const swarmTaskId = printableUpTo(container.labels[taskIdLabel] ?? "", 64);
  return taskOf(container, name).map((task) => ({ ...task, swarmTask: swarmTaskId }));
}

/** Docker decides by the container's own check how many results in a row count. */
function healthOf({ health, startedAtMs }: ContainerFacts): HealthReport | null {
  if (health === null) return null;
  const { status, output } = health;
  const ok = status !== "unhealthy";
  const lastCheck = ok ? `healthcheck ${status}` : printableUpTo(`healthcheck failed: ${output}`, 200);
  return { verdict: status, streak: { ok, length: 1 }, sinceMs: startedAtMs, lastCheck, rise: 1, fall: 1 };
}

function noAddressText({ name, network }: ContainerFacts): string {
  return `container ${name} gets no requests: it has no address on a bridge of this machine (network ${network})`;
}

function namesOf(containers: readonly ContainerFacts[]): string {
  const names = containers.slice(0, 3).map(({ name }) => name);
  return `${names.join(", ")}${containers.length > 3 ? ` and ${containers.length - 3} more` : ""}`;
}

function withWarnings(service: DiscoveredService, more: readonly string[]): DiscoveredService {
  const warnings = [...service.warnings, ...more].map((text) => printableUpTo(text, maxWarningLength));
  return { ...service, warnings: [...new Set(warnings)].slice(0, maxWarnings) };
}

/** The part of a report that the registry accepts. Services are left out whole, from the end. */
function bounded(report: NodeDiscovery): NodeDiscovery {
  const readable = report.services.map(withReadableLabels);
  let [serviceCount, taskCount] = [maxDiscoveredServices, maxDiscoveredTasks];
  for (;;) {
    const leftOut = new Set(readable.slice(serviceCount).map(({ name }) => name));
    const tasks = report.tasks.filter(({ service }) => !leftOut.has(service)).slice(0, taskCount);
    const bound = { services: readable.slice(0, serviceCount), tasks };
    if (isDiscoverySize(bound)) return bound;
    [serviceCount, taskCount] = [Math.floor(bound.services.length * 0.8), Math.floor(tasks.length * 0.8)];
  }
}

/** A service with a label that no report has room for is not published. */
function withReadableLabels(service: DiscoveredService): DiscoveredService {
  const entries = Object.entries(service.labels);
  const isReadable = ([key, value]: [string, string]) =>
    printableUpTo(key, 100) === key && printableUpTo(value, 1_000) === value;
  if (entries.length <= 64 && entries.every(isReadable) && service.ports.length <= 64) return service;
  const warning =
    "not published: it has more than 64 labels or ports, or a label that is too long or has control characters";
  return withWarnings({ ...service, labels: {}, ports: [] }, [warning]);
}
