// Determines from the frontends how each service is reached. The service of a frontend's default_backend gets
// its ports and all its host names; the services of the other backends take paths of that service.

import { type PathRule, printPathRule } from "../domain/table/path-rule.ts";
import { pathRulesOf } from "./condition.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { FrontendRouting, UseBackend } from "./routing-lines.ts";
import { type RoutingRule, resolveSwitchingRules, withoutRedundant } from "./switching-rules.ts";
import type { ProxyMode } from "./tcp-mode.ts";

/** A frontend, or the frontend half of a listen. */
export type Frontend = {
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly mode: ProxyMode;
  readonly ports: readonly number[];
  readonly routing: FrontendRouting;
  /** The section of a listen's own servers, which gets the requests that match no rule. */
  readonly ownBackend: string | null;
};

/** What becomes of a frontend. */
export type FrontendFate =
  /** Its ports belong to the service of a backend. `backends`: all that it leads to. */
  | { readonly kind: "published"; readonly backends: readonly string[] }
  /** Its backends are reached by host name, and its ports are not published. */
  | { readonly kind: "by host"; readonly backends: readonly string[] }
  | { readonly kind: "nowhere"; readonly why: string };

/** How a service is reached. */
export type ServiceExposure = {
  readonly ports: Set<number>;
  readonly hosts: Set<string>;
  /**
   * Names of the services whose requests it takes (label `waggle.at`); empty if it takes those of host names.
   */
  readonly at: ReadonlySet<string>;
  /** The paths it takes, in the format of label `waggle.path`. */
  readonly paths: string;
};

/** The resolved rules of a frontend. `rest`: the service for requests that match no rule, if there is one. */
type FrontendRules = {
  readonly frontend: Frontend;
  readonly uses: readonly UseBackend[];
  readonly rest: string | null;
  readonly rules: readonly RoutingRule<string | null>[];
};

/** @param nameOf the service of a backend */
export function exposureLabels(
  { hosts, at, paths }: ServiceExposure,
  nameOf: (backend: string) => string,
): Readonly<Record<string, string>> {
  return {
    ...(hosts.size > 0 && { "waggle.host": [...hosts].join(",") }),
    ...(paths !== "" && { "waggle.path": paths }),
    ...(at.size > 0 && { "waggle.at": [...at].map(nameOf).join(",") }),
  };
}

export class Frontends {
  readonly #backends: ReadonlyMap<string, ProxyMode | null>;
  readonly #diagnostics: Diagnostics;
  readonly #fates = new Map<number, FrontendFate>();
  readonly #exposures = new Map<string, ServiceExposure>();
  /** The one service that each host name leads to. */
  readonly #serviceByHost = new Map<string, string>();

  /** @param backends the mode of each backend by name; null if it does not become a service */
  constructor(backends: ReadonlyMap<string, ProxyMode | null>, diagnostics: Diagnostics) {
    this.#backends = backends;
    this.#diagnostics = diagnostics;
  }

  /** What becomes of each frontend, by its line, once `exposures` has been read. A backend may have its name. */
  get fates(): ReadonlyMap<number, FrontendFate> {
    return this.#fates;
  }

  /** How the service of each backend is reached, by name of the backend. A service to which no frontend leads is absent. */
  exposures(frontends: readonly Frontend[]): ReadonlyMap<string, ServiceExposure> {
    const resolved = frontends.flatMap((frontend) => this.#rulesOf(frontend) ?? []);
    // A service has one set of rules: those of its first frontend that has use_backend lines, or its first
    // one.
    const effective = new Map<string, FrontendRules>();
    for (const candidate of resolved) {
      if (candidate.rest === null) continue;
      const current = effective.get(candidate.rest);
      if (current === undefined || (current.uses.length === 0 && candidate.uses.length > 0))
        effective.set(candidate.rest, candidate);
    }
    for (const rules of resolved) {
      if (rules.rest === null) this.#exposeByHost(rules);
      else this.#exposeAtPorts(rules, rules.rest, effective.get(rules.rest) ?? rules);
      this.#fates.set(rules.frontend.line, this.#fateOf(rules));
    }
    return this.#exposures;
  }

  #fateOf({ frontend, uses, rest }: FrontendRules): FrontendFate {
    const taken = uses.filter(({ directive }) => this.#diagnostics.has(directive, "taken"));
    const backends = [...new Set([...taken.map(({ backend }) => backend), ...(rest === null ? [] : [rest])])];
    if (rest !== null) return { kind: "published", backends };
    if (backends.length > 0) return { kind: "by host", backends };
    return { kind: "nowhere", why: nowhereReason(frontend) };
  }

  #rulesOf(frontend: Frontend): FrontendRules | null {
    const { mode, routing, ownBackend } = frontend;
    for (const { directive, why } of routing.unsupported) this.#diagnostics.add(directive, "could not", why);
    const uses = routing.uses.filter(({ backend, directive }) => this.#isService(backend, mode, directive));
    const { fallback } = routing;
    const hasFallback = fallback !== null && this.#isService(fallback.backend, mode, fallback.directive);
    const otherwise = hasFallback ? fallback.backend : fallback === null ? ownBackend : null;
    if (otherwise === null && uses.length === 0) {
      this.#fates.set(frontend.line, { kind: "nowhere", why: nowhereReason(frontend) });
      return null;
    }
    const choices = uses.map(({ condition, backend }) => ({ condition, to: backend }));
    const resolved = resolveSwitchingRules<string | null>(choices, otherwise);
    if (hasFallback) {
      const isRest = resolved === null || resolved.rest === fallback.backend;
      const note = isRest
        ? `published at ${frontend.ports.join(", ") || "no port"}`
        : "a rule before it applies to the other requests";
      this.#diagnostics.add(fallback.directive, "taken", note);
    }
    if (resolved !== null) return { frontend, uses, ...resolved };
    for (const { directive } of uses) {
      this.#diagnostics.add(directive, "could not", "too many host names and paths in one frontend");
    }
    return { frontend, uses: [], rest: otherwise, rules: [] };
  }

  /** HAProxy refuses a backend in mode tcp behind a frontend in mode http, and reads HTTP in the other case. */
  #isService(backend: string, mode: ProxyMode, directive: UseBackend["directive"]): boolean {
    const backendMode = this.#backends.get(backend) ?? null;
    if (backendMode === null) {
      this.#diagnostics.add(directive, "could not", `${backend} does not become a service`);
      return false;
    }
    if (mode === "tcp" || backendMode === "http") return true;
    this.#diagnostics.add(
      directive,
      "could not",
      `${backend} is in mode tcp, and this frontend in mode http`,
    );
    return false;
  }

  /** Publishes the service `rest` at the frontend's ports and lets other services take its paths. */
  #exposeAtPorts(resolved: FrontendRules, rest: string, effective: FrontendRules): void {
    const { frontend, uses, rules } = resolved;
    const exposure = this.#exposureOf(rest);
    for (const port of frontend.ports) exposure.ports.add(port);
    this.#assignHosts(
      frontend,
      rest,
      uses.flatMap(({ condition }) => pathRulesOf(condition)),
    );
    if (rulesText(rules) !== rulesText(effective.rules)) {
      const { kind, name } = effective.frontend;
      const why = `the rules of ${kind} ${name} apply, because both lead to ${rest}`;
      this.#diagnostics.add({ line: frontend.line, words: [frontend.kind, frontend.name] }, "could not", why);
      for (const { directive } of uses) this.#diagnostics.add(directive, "could not", why);
      return;
    }
    const unserved = rules.filter(({ to }) => to === null).map(({ rule }) => printPathRule(rule));
    if (unserved.length > 0) {
      const why = `${rest} serves ${unserved.join(", ")}, which have no backend: add a default_backend`;
      this.#diagnostics.add({ line: frontend.line, words: [frontend.kind, frontend.name] }, "could not", why);
    }
    this.#assignPaths(resolved, rest, rules);
  }

  /** Exposes the services of a frontend without default_backend by host name. No port is published. */
  #exposeByHost(resolved: FrontendRules): void {
    const { frontend, uses, rules } = resolved;
    const withHost = rules.filter(({ rule, to }) => rule.host !== null && to !== null);
    const hostRules = withoutRedundant(withHost.toReversed(), null);
    for (const { rule, to } of hostRules)
      if (to !== null && isWholeHost(rule)) this.#assignHosts(frontend, to, [rule]);
    const withoutHost = new Set(rules.filter(({ rule }) => rule.host === null).map(({ to }) => to));
    for (const { directive, backend } of uses) {
      if (withoutHost.has(backend)) {
        const why = "without a default_backend only host names lead to a service";
        this.#diagnostics.add(directive, "could not", why);
      } else if (hostRules.some(({ rule, to }) => to === backend && isWholeHost(rule))) {
        const note = "reached by host name, on the default ports of HTTP and HTTPS and on the balancer's";
        this.#diagnostics.add(directive, "taken", note);
      }
    }
    this.#assignPaths(
      { ...resolved, uses: uses.filter(({ backend }) => !withoutHost.has(backend)) },
      null,
      hostRules.filter(({ rule }) => !isWholeHost(rule)),
    );
  }

  /** Lets each backend take its paths of the service `from`; null for those of host names. */
  #assignPaths(
    { uses, frontend }: FrontendRules,
    from: string | null,
    rules: readonly RoutingRule<string | null>[],
  ): void {
    const names = [...uses.map(({ backend }) => backend), ...rules.flatMap(({ to }) => to ?? [])];
    for (const name of new Set(names)) {
      const current = this.#exposureOf(name);
      const paths = rules.filter(({ to }) => to === name).map(({ rule }) => printPathRule(rule));
      const lines = uses.filter(({ backend }) => backend === name).map(({ directive }) => directive);
      const exposure = withPaths(current, paths.join(","), from);
      if (exposure === null) {
        const taken = `${name} takes ${current.paths}${sourceText([...current.at])}`;
        const why = `a service takes the same paths of all services: ${taken}`;
        const head = { line: frontend.line, words: [frontend.kind, frontend.name] };
        for (const line of lines.length === 0 ? [head] : lines) this.#diagnostics.add(line, "could not", why);
        continue;
      }
      this.#exposures.set(name, exposure);
      const note =
        paths.length > 0 ? `takes ${paths.join(", ")}${sourceText(from === null ? [] : [from])}` : null;
      const redundant = name === from ? `${name} is the default` : "other rules have the same effect";
      for (const line of lines) {
        if (note !== null || from !== null) this.#diagnostics.add(line, "taken", note ?? redundant);
      }
    }
  }

  /** Lets the host names of rules lead to a service, unless they already lead to another one. */
  #assignHosts({ kind, name, line }: Frontend, service: string, rules: readonly PathRule[]): void {
    const exposure = this.#exposureOf(service);
    for (const host of new Set(rules.flatMap((rule) => rule.host ?? []))) {
      const owner = this.#serviceByHost.get(host) ?? service;
      if (owner === service) exposure.hosts.add(host);
      else {
        const why = `by host name alone, ${host} leads to ${owner}, not to ${service}`;
        this.#diagnostics.add({ line, words: [kind, name] }, "could not", why);
      }
      this.#serviceByHost.set(host, owner);
    }
  }

  #exposureOf(name: string): ServiceExposure {
    const existing = this.#exposures.get(name);
    if (existing !== undefined) return existing;
    const exposure: ServiceExposure = { ports: new Set(), hosts: new Set(), at: new Set(), paths: "" };
    this.#exposures.set(name, exposure);
    return exposure;
  }
}

function nowhereReason({ routing }: Frontend): string {
  const { uses, unsupported, fallback } = routing;
  if (uses.length + unsupported.length > 0 || fallback !== null)
    return "none of its backends becomes a service that a supported rule leads to";
  return "it leads to no backend";
}

/** Adds paths of the service `from`; null if the service already takes other paths. */
function withPaths(exposure: ServiceExposure, paths: string, from: string | null): ServiceExposure | null {
  if (paths === "") return exposure;
  const isFirst = exposure.paths === "";
  if (!isFirst && (exposure.paths !== paths || (from === null) !== (exposure.at.size === 0))) return null;
  return { ...exposure, paths, at: from === null ? exposure.at : new Set([...exposure.at, from]) };
}

function sourceText(services: readonly string[]): string {
  return services.length === 0 ? "" : ` of ${services.join(", ")}`;
}

function isWholeHost({ path, exact }: PathRule): boolean {
  return path === "/" && !exact;
}

function rulesText(rules: readonly RoutingRule<string | null>[]): string {
  return rules.map(({ rule, to }) => `${printPathRule(rule)} ${to}`).join("\n");
}
