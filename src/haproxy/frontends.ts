// Reach: how services are reached, as the frontends of a configuration say it. A frontend is the service of its
// default_backend: that one has its ports and all host names it names, and the others take their requests from it.

import { type PathRule, printPathRule } from "../domain/table/path-rule.ts";
import { pathRulesOf } from "./condition.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { FrontendRouting, UseBackend } from "./routing-lines.ts";
import { type RoutingRule, resolveSwitchingRules, withoutRedundant } from "./switching-rules.ts";
import { ConfigError } from "./words.ts";

/** A frontend, or a listen for its other half. */
export type Frontend = {
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly ports: readonly number[];
  readonly routing: FrontendRouting;
  /** A listen's own servers answer where no rule says who does. */
  readonly ownService: string | null;
};

/** How a service is reached. */
export type ServiceExposure = {
  readonly ports: Set<number>;
  readonly hosts: Set<string>;
  /** Names of the services it takes requests from; none: they are those of host names. */
  readonly at: ReadonlySet<string>;
  /** Which those are, as `waggle.path` has them. */
  readonly paths: string;
};

/** What its rules make of a front's requests: `rest` of those that no rule is about; null: nobody answers. */
type FrontendRules = {
  readonly frontend: Frontend;
  readonly uses: readonly UseBackend[];
  readonly rest: string | null;
  readonly rules: readonly RoutingRule<string | null>[];
};

export function exposureLabels({ hosts, at, paths }: ServiceExposure): Readonly<Record<string, string>> {
  return {
    ...(hosts.size > 0 && { "waggle.host": [...hosts].join(",") }),
    ...(paths !== "" && { "waggle.path": paths }),
    ...(at.size > 0 && { "waggle.at": [...at].join(",") }),
  };
}

export class Frontends {
  readonly #backends: ReadonlyMap<string, boolean>;
  readonly #diagnostics: Diagnostics;
  readonly #addError: (error: ConfigError) => void;
  readonly #exposures = new Map<string, ServiceExposure>();
  /** Services by the host names that lead to them alone. */
  readonly #serviceByHost = new Map<string, string>();

  /** @param known the backends there are by name, and whether each becomes a service */
  constructor(
    known: ReadonlyMap<string, boolean>,
    remarks: Diagnostics,
    refuse: (error: ConfigError) => void,
  ) {
    this.#backends = known;
    this.#diagnostics = remarks;
    this.#addError = refuse;
  }

  /** How each service is reached; one that nothing leads to is not in it. */
  exposures(fronts: readonly Frontend[]): ReadonlyMap<string, ServiceExposure> {
    const decided = fronts.flatMap((front) => this.#rulesOf(front) ?? []);
    const ruling = new Map<string, FrontendRules>();
    for (const one of decided) {
      if (one.rest === null) continue;
      const before = ruling.get(one.rest);
      if (before === undefined || (before.uses.length === 0 && one.uses.length > 0))
        ruling.set(one.rest, one);
    }
    for (const one of decided) {
      if (one.rest === null) this.#exposeByHost(one);
      else this.#exposeAtPorts(one, one.rest, ruling.get(one.rest) ?? one);
    }
    return this.#exposures;
  }

  #rulesOf(front: Frontend): FrontendRules | null {
    const { routing, ownService, kind, name, line } = front;
    const uses = routing.uses.filter(({ backend, directive }) => this.#isService(backend, directive));
    const { fallback } = routing;
    const named = fallback !== null && this.#isService(fallback.backend, fallback.directive);
    const otherwise = named ? fallback.backend : fallback === null ? ownService : null;
    if (otherwise === null && uses.length === 0) {
      if (kind === "frontend")
        this.#diagnostics.add({ line, words: [kind, name] }, "could not", "it leads to no backend");
      return null;
    }
    const choices = uses.map(({ condition, backend }) => ({ condition, to: backend }));
    const all = resolveSwitchingRules<string | null>(choices, otherwise);
    if (named) {
      const isRest = all === null || all.rest === fallback.backend;
      const note = isRest
        ? `published at ${front.ports.join(", ") || "no port"}`
        : "the rules before it say more";
      this.#diagnostics.add(fallback.directive, "taken", note);
    }
    if (all !== null) return { frontend: front, uses, ...all };
    for (const { directive } of uses) {
      this.#diagnostics.add(
        directive,
        "could not",
        "there are too many host names and paths in one frontend",
      );
    }
    return { frontend: front, uses: [], rest: otherwise, rules: [] };
  }

  #isService(backend: string, directive: UseBackend["directive"]): boolean {
    const becomes = this.#backends.get(backend);
    if (becomes === undefined)
      this.#addError(new ConfigError(directive.line, `there is no backend ${backend}`));
    else if (!becomes) this.#diagnostics.add(directive, "could not", `${backend} becomes no service`);
    return becomes === true;
  }

  /** A front whose ports lead to a service, from which others take. */
  #exposeAtPorts(decided: FrontendRules, rest: string, ruling: FrontendRules): void {
    const { frontend, uses, rules } = decided;
    const own = this.#exposureOf(rest);
    for (const port of frontend.ports) own.ports.add(port);
    this.#assignHosts(
      frontend,
      rest,
      uses.flatMap(({ condition }) => pathRulesOf(condition)),
    );
    if (rulesText(rules) !== rulesText(ruling.rules)) {
      const { kind, name } = ruling.frontend;
      const why = `its requests go by the rules of ${kind} ${name}, for both lead to ${rest}`;
      this.#diagnostics.add({ line: frontend.line, words: [frontend.kind, frontend.name] }, "could not", why);
      for (const { directive } of uses) this.#diagnostics.add(directive, "could not", why);
      return;
    }
    const refused = rules.filter(({ to }) => to === null).map(({ rule }) => printPathRule(rule));
    if (refused.length > 0) {
      const why = `${rest} answers ${refused.join(", ")}, which lead to no backend: name a default_backend`;
      this.#diagnostics.add({ line: frontend.line, words: [frontend.kind, frontend.name] }, "could not", why);
    }
    this.#assignPaths(decided, rest, rules);
  }

  /** Nothing is published at the ports of a front without a default_backend: host names lead to its backends. */
  #exposeByHost(decided: FrontendRules): void {
    const { frontend, uses, rules } = decided;
    const withHost = rules.filter(({ rule, to }) => rule.host !== null && to !== null);
    const named = withoutRedundant(withHost.toReversed(), null);
    for (const { rule, to } of named)
      if (to !== null && isWholeHost(rule)) this.#assignHosts(frontend, to, [rule]);
    const lost = new Set(rules.filter(({ rule }) => rule.host === null).map(({ to }) => to));
    for (const { directive, backend } of uses) {
      if (lost.has(backend)) {
        const why = "without a default_backend only host names lead to a service";
        this.#diagnostics.add(directive, "could not", why);
      } else if (named.some(({ rule, to }) => to === backend && isWholeHost(rule))) {
        const note = "reached by host name, on the scheme's own ports and at the balancer's";
        this.#diagnostics.add(directive, "taken", note);
      }
    }
    this.#assignPaths(
      { ...decided, uses: uses.filter(({ backend }) => !lost.has(backend)) },
      null,
      named.filter(({ rule }) => !isWholeHost(rule)),
    );
  }

  /** Each backend takes what the rules say of a service's requests; null: of those of host names. */
  #assignPaths(
    decided: FrontendRules,
    from: string | null,
    rules: readonly RoutingRule<string | null>[],
  ): void {
    const { uses, frontend } = decided;
    const names = [...uses.map(({ backend }) => backend), ...rules.flatMap(({ to }) => to ?? [])];
    for (const name of new Set(names)) {
      const own = this.#exposureOf(name);
      const paths = rules.filter(({ to }) => to === name).map(({ rule }) => printPathRule(rule));
      const lines = uses.filter(({ backend }) => backend === name).map(({ directive }) => directive);
      const taken = withPaths(own, paths.join(","), from);
      if (taken === null) {
        const why = `a service takes the same wherever it takes: ${name} takes ${own.paths}${sourceText([...own.at])}`;
        const head = { line: frontend.line, words: [frontend.kind, frontend.name] };
        for (const at of lines.length === 0 ? [head] : lines) this.#diagnostics.add(at, "could not", why);
        continue;
      }
      this.#exposures.set(name, taken);
      const note =
        paths.length > 0 ? `takes ${paths.join(", ")}${sourceText(from === null ? [] : [from])}` : null;
      const otherwise = name === from ? `${name} answers` : "the other rules say so already";
      for (const line of lines) {
        if (note !== null || from !== null) this.#diagnostics.add(line, "taken", note ?? otherwise);
      }
    }
  }

  /** Lets the host names of rules lead to a service, unless they lead to another one already. */
  #assignHosts({ kind, name, line }: Frontend, service: string, rules: readonly PathRule[]): void {
    const own = this.#exposureOf(service);
    for (const host of new Set(rules.flatMap((rule) => rule.host ?? []))) {
      const owner = this.#serviceByHost.get(host) ?? service;
      if (owner === service) own.hosts.add(host);
      else {
        const why = `where no port says so, ${host} leads to ${owner}, and not to ${service}`;
        this.#diagnostics.add({ line, words: [kind, name] }, "could not", why);
      }
      this.#serviceByHost.set(host, owner);
    }
  }

  #exposureOf(name: string): ServiceExposure {
    const known = this.#exposures.get(name);
    if (known !== undefined) return known;
    const made: ServiceExposure = { ports: new Set(), hosts: new Set(), at: new Set(), paths: "" };
    this.#exposures.set(name, made);
    return made;
  }
}

/** How a service is reached that takes these paths, too; null where it takes others already. */
function withPaths(own: ServiceExposure, paths: string, from: string | null): ServiceExposure | null {
  if (paths === "") return own;
  const isFirst = own.paths === "";
  if (!isFirst && (own.paths !== paths || (from === null) !== (own.at.size === 0))) return null;
  return { ...own, paths, at: from === null ? own.at : new Set([...own.at, from]) };
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
