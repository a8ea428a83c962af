// The routes of the mesh as rows: which port, host name and path lead to which service, and what becomes of a request
// there. They are read from the routing table that routers get.

import { routingTableOf } from "../control/mesh-view.ts";
import type { PathRule } from "../domain/table/path-rule.ts";
import { hashedField } from "../domain/table/policy.ts";
import type { Canary, RoutingTable, TableService } from "../domain/table/table.ts";
import { isTcpService } from "../domain/table/tcp-options.ts";
import type { DashboardView } from "./view.ts";

export type RouteRow = {
  /** `8080`; `any` for a route by host name alone. */
  readonly port: string;
  /** `host mode`, `tcp`, `default service`; empty for a port in ingress mode. */
  readonly note: string;
  /** `any` for every host name. */
  readonly host: string;
  /** `/api…` for a prefix, `=/healthz` for this path alone; `any` for every path. */
  readonly path: string;
  readonly service: string;
  /** Null for a route by host name or path, which keeps the target port of the service. */
  readonly targetPort: number | null;
  readonly policy: string;
  /** `cookie lb`, `hash of the client's address`; empty without any. */
  readonly affinity: string;
  /** `10 % to next`; empty without a canary. */
  readonly canary: string;
  readonly up: number;
  readonly total: number;
  /** A request that takes the route; null in mode tcp. */
  readonly exampleUrl: string | null;
};

/** By port. @param balancerPort the port of the default service; null on Cloudflare */
export function routeRows(view: DashboardView, balancerPort: number | null): readonly RouteRow[] {
  const table = routingTableOf(view);
  const rows = table.services.flatMap((service) => {
    const common = commonOf(service, view);
    const ports = service.ports.map(({ published, target, mode }): RouteRow => {
      const isTcp = isTcpService(service);
      const note = isTcp ? "tcp" : mode === "host" ? "host mode" : "";
      const exampleUrl = isTcp ? null : exampleOf(published, addressOf(view, service, mode), "/");
      return {
        ...common,
        port: String(published),
        note,
        host: any,
        path: any,
        targetPort: target,
        exampleUrl,
      };
    });
    const hosts = service.hosts.map((host): RouteRow => {
      const exampleUrl = exampleOf(balancerPort, host, "/");
      return { ...common, port: any, host, path: any, targetPort: null, exampleUrl };
    });
    const { at = [], rules = [] } = service.options?.paths ?? {};
    const paths = rules.flatMap((rule) =>
      rule.host === null
        ? portsOf(table, at).map((port) => pathRow(common, rule, port, addressOf(view, service, "ingress")))
        : [pathRow(common, rule, null, rule.host, balancerPort)],
    );
    const isDefault = table.defaultService === service.name && balancerPort !== null;
    const defaults: readonly RouteRow[] = isDefault
      ? [
          {
            ...common,
            port: String(balancerPort),
            note: "default service",
            host: any,
            path: any,
            targetPort: null,
            exampleUrl: exampleOf(balancerPort, "127.0.0.1", "/"),
          },
        ]
      : [];
    return [...ports, ...hosts, ...paths, ...defaults];
  });
  return rows.toSorted((a, b) => compareNaturally(orderOf(a), orderOf(b)));
}

const { compare: compareNaturally } = new Intl.Collator("en", { numeric: true });

/** By port, then routes by host name alone. */
function orderOf({ port, host, path, service }: RouteRow): string {
  return `${port} ${host} ${path} ${service}`;
}

const any = "any";

type CommonFields = Omit<RouteRow, "port" | "host" | "path" | "targetPort" | "exampleUrl">;

function commonOf(service: TableService, view: DashboardView): CommonFields {
  const { id, name, policy, options = {}, tasks, servers = [] } = service;
  const up = [...tasks, ...servers].filter(({ weight, drain }) => weight > 0 && drain !== true).length;
  const desired = (view.serviceById.get(id)?.desiredTasks ?? 0) + view.serversOfService(id).length;
  return {
    note: "",
    service: name,
    policy,
    affinity: options.sticky === undefined ? hashText(service) : `cookie ${options.sticky}`,
    canary: options.canary === undefined ? "" : canaryText(options.canary),
    up,
    total: Math.max(up, desired),
  };
}

function hashText({ policy }: TableService): string {
  if (policy === "source") return "hash of the client's address";
  if (policy === "uri") return "hash of the path";
  const field = hashedField(policy);
  if (field === null) return "";
  return `hash of ${field.kind === "hdr" ? "header" : "cookie"} ${field.name}`;
}

function canaryText({ service, percent, header, cookie }: Canary): string {
  const rules = [
    ...(header === undefined ? [] : [`header ${header.name}`]),
    ...(cookie === undefined ? [] : [`cookie ${cookie.name}`]),
  ];
  return `${percent} %${rules.map((rule) => `, ${rule}`).join("")} to ${service}`;
}

/** The ports of the services whose requests a path rule takes. */
function portsOf({ services }: RoutingTable, names: readonly string[]): readonly number[] {
  return services.flatMap(({ name, ports }) =>
    names.includes(name) ? ports.map(({ published }) => published) : [],
  );
}

function pathRow(
  common: CommonFields,
  rule: PathRule,
  port: number | null,
  host: string,
  balancerPort: number | null = port,
): RouteRow {
  return {
    ...common,
    port: port === null ? any : String(port),
    host: rule.host ?? any,
    path: rule.exact ? `=${rule.path}` : `${rule.path}…`,
    targetPort: null,
    exampleUrl: exampleOf(port ?? balancerPort, host, rule.path),
  };
}

function exampleOf(port: number | null, host: string, path: string): string {
  return `http://${host}${port === null ? "" : `:${port}`}${path}`;
}

/** Where a port is reached: at a node that has a task of the service if it is published in host mode. */
function addressOf(view: DashboardView, service: TableService, mode: "ingress" | "host"): string {
  const nodeId = mode === "host" ? service.tasks[0]?.nodeId : view.nodes[0]?.id;
  return view.nodeById.get(nodeId ?? "")?.address ?? "127.0.0.1";
}

/** The text that a search looks at. */
export function routeText({ port, note, host, path, service, policy, affinity, canary }: RouteRow): string {
  return `${port} ${note} ${host} ${path} ${service} ${policy} ${affinity} ${canary}`;
}
