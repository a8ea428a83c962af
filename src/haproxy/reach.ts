// Reach: how services are reached, as the frontends of a configuration say it. A frontend is the service of its
// default_backend: that one has its ports and all host names it names, and the others take their requests from it.

import { type PathRule, printPathRule } from "../domain/path-rule.ts";
import { rulesIn } from "./condition.ts";
import { type Decision, decide, withoutRepeats } from "./decisions.ts";
import type { Remarks } from "./remarks.ts";
import type { Routing, Use } from "./routing-lines.ts";
import { ConfigError } from "./words.ts";

/** A frontend, or a listen for its other half. */
export type Front = {
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly ports: readonly number[];
  readonly routing: Routing;
  /** A listen's own servers answer where no rule says who does. */
  readonly itself: string | null;
};

/** How a service is reached. */
export type Reached = {
  readonly ports: Set<number>;
  readonly hosts: Set<string>;
  /** Names of the services it takes requests from; none: they are those of host names. */
  readonly at: ReadonlySet<string>;
  /** Which those are, as `waggle.path` has them. */
  readonly paths: string;
};

/** What its rules make of a front's requests: `rest` of those that no rule is about; null: nobody answers. */
type Decided = {
  readonly front: Front;
  readonly uses: readonly Use[];
  readonly rest: string | null;
  readonly rules: readonly Decision<string | null>[];
};

export function reachLabels({ hosts, at, paths }: Reached): Readonly<Record<string, string>> {
  return {
    ...(hosts.size > 0 && { "waggle.host": [...hosts].join(",") }),
    ...(paths !== "" && { "waggle.path": paths }),
    ...(at.size > 0 && { "waggle.at": [...at].join(",") }),
  };
}

export class Reach {
  readonly #known: ReadonlyMap<string, boolean>;
  readonly #remarks: Remarks;
  readonly #refuse: (error: ConfigError) => void;
  readonly #reached = new Map<string, Reached>();
  /** Services by the host names that lead to them alone. */
  readonly #byName = new Map<string, string>();

  /** @param known the backends there are by name, and whether each becomes a service */
  constructor(known: ReadonlyMap<string, boolean>, remarks: Remarks, refuse: (error: ConfigError) => void) {
    this.#known = known;
    this.#remarks = remarks;
    this.#refuse = refuse;
  }

  /** How each service is reached; one that nothing leads to is not in it. */
  all(fronts: readonly Front[]): ReadonlyMap<string, Reached> {
    const decided = fronts.flatMap((front) => this.#decided(front) ?? []);
    const ruling = new Map<string, Decided>();
    for (const one of decided) {
      if (one.rest === null) continue;
      const before = ruling.get(one.rest);
      if (before === undefined || (before.uses.length === 0 && one.uses.length > 0))
        ruling.set(one.rest, one);
    }
    for (const one of decided) {
      if (one.rest === null) this.#byHost(one);
      else this.#published(one, one.rest, ruling.get(one.rest) ?? one);
    }
    return this.#reached;
  }

  #decided(front: Front): Decided | null {
    const { routing, itself, kind, name, line } = front;
    const uses = routing.uses.filter(({ backend, directive }) => this.#leads(backend, directive));
    const { fallback } = routing;
    const named = fallback !== null && this.#leads(fallback.backend, fallback.directive);
    const otherwise = named ? fallback.backend : fallback === null ? itself : null;
    if (otherwise === null && uses.length === 0) {
      if (kind === "frontend")
        this.#remarks.add({ line, words: [kind, name] }, "could not", "it leads to no backend");
      return null;
    }
    const choices = uses.map(({ condition, backend }) => ({ condition, to: backend }));
    const all = decide<string | null>(choices, otherwise);
    if (named) {
      const isRest = all === null || all.rest === fallback.backend;
      const note = isRest
        ? `published at ${front.ports.join(", ") || "no port"}`
        : "the rules before it say more";
      this.#remarks.add(fallback.directive, "taken", note);
    }
    if (all !== null) return { front, uses, ...all };
    for (const { directive } of uses) {
      this.#remarks.add(directive, "could not", "there are too many host names and paths in one frontend");
    }
    return { front, uses: [], rest: otherwise, rules: [] };
  }

  #leads(backend: string, directive: Use["directive"]): boolean {
    const becomes = this.#known.get(backend);
    if (becomes === undefined)
      this.#refuse(new ConfigError(directive.line, `there is no backend ${backend}`));
    else if (!becomes) this.#remarks.add(directive, "could not", `${backend} becomes no service`);
    return becomes === true;
  }

  /** A front whose ports lead to a service, from which others take. */
  #published(decided: Decided, rest: string, ruling: Decided): void {
    const { front, uses, rules } = decided;
    const own = this.#of(rest);
    for (const port of front.ports) own.ports.add(port);
    this.#name(
      front,
      rest,
      uses.flatMap(({ condition }) => rulesIn(condition)),
    );
    if (printed(rules) !== printed(ruling.rules)) {
      const { kind, name } = ruling.front;
      const why = `its requests go by the rules of ${kind} ${name}, for both lead to ${rest}`;
      this.#remarks.add({ line: front.line, words: [front.kind, front.name] }, "could not", why);
      for (const { directive } of uses) this.#remarks.add(directive, "could not", why);
      return;
    }
    const refused = rules.filter(({ to }) => to === null).map(({ rule }) => printPathRule(rule));
    if (refused.length > 0) {
      const why = `${rest} answers ${refused.join(", ")}, which lead to no backend: name a default_backend`;
      this.#remarks.add({ line: front.line, words: [front.kind, front.name] }, "could not", why);
    }
    this.#take(decided, rest, rules);
  }

  /** Nothing is published at the ports of a front without a default_backend: host names lead to its backends. */
  #byHost(decided: Decided): void {
    const { front, uses, rules } = decided;
    const withHost = rules.filter(({ rule, to }) => rule.host !== null && to !== null);
    const named = withoutRepeats(withHost.toReversed(), null);
    for (const { rule, to } of named) if (to !== null && isWhole(rule)) this.#name(front, to, [rule]);
    const lost = new Set(rules.filter(({ rule }) => rule.host === null).map(({ to }) => to));
    for (const { directive, backend } of uses) {
      if (lost.has(backend)) {
        const why = "without a default_backend only host names lead to a service";
        this.#remarks.add(directive, "could not", why);
      } else if (named.some(({ rule, to }) => to === backend && isWhole(rule))) {
        const note = "reached by host name, on the scheme's own ports and at the balancer's";
        this.#remarks.add(directive, "taken", note);
      }
    }
    this.#take(
      { ...decided, uses: uses.filter(({ backend }) => !lost.has(backend)) },
      null,
      named.filter(({ rule }) => !isWhole(rule)),
    );
  }

  /** Each backend takes what the rules say of a service's requests; null: of those of host names. */
  #take(decided: Decided, from: string | null, rules: readonly Decision<string | null>[]): void {
    const { uses, front } = decided;
    const names = [...uses.map(({ backend }) => backend), ...rules.flatMap(({ to }) => to ?? [])];
    for (const name of new Set(names)) {
      const own = this.#of(name);
      const paths = rules.filter(({ to }) => to === name).map(({ rule }) => printPathRule(rule));
      const lines = uses.filter(({ backend }) => backend === name).map(({ directive }) => directive);
      const taken = takenBy(own, paths.join(","), from);
      if (taken === null) {
        const why = `a service takes the same wherever it takes: ${name} takes ${own.paths}${ofWhom([...own.at])}`;
        const head = { line: front.line, words: [front.kind, front.name] };
        for (const at of lines.length === 0 ? [head] : lines) this.#remarks.add(at, "could not", why);
        continue;
      }
      this.#reached.set(name, taken);
      const note =
        paths.length > 0 ? `takes ${paths.join(", ")}${ofWhom(from === null ? [] : [from])}` : null;
      const otherwise = name === from ? `${name} answers` : "the other rules say so already";
      for (const line of lines) {
        if (note !== null || from !== null) this.#remarks.add(line, "taken", note ?? otherwise);
      }
    }
  }

  /** Lets the host names of rules lead to a service, unless they lead to another one already. */
  #name({ kind, name, line }: Front, service: string, rules: readonly PathRule[]): void {
    const own = this.#of(service);
    for (const host of new Set(rules.flatMap((rule) => rule.host ?? []))) {
      const owner = this.#byName.get(host) ?? service;
      if (owner === service) own.hosts.add(host);
      else {
        const why = `where no port says so, ${host} leads to ${owner}, and not to ${service}`;
        this.#remarks.add({ line, words: [kind, name] }, "could not", why);
      }
      this.#byName.set(host, owner);
    }
  }

  #of(name: string): Reached {
    const known = this.#reached.get(name);
    if (known !== undefined) return known;
    const made: Reached = { ports: new Set(), hosts: new Set(), at: new Set(), paths: "" };
    this.#reached.set(name, made);
    return made;
  }
}

/** How a service is reached that takes these paths, too; null where it takes others already. */
function takenBy(own: Reached, paths: string, from: string | null): Reached | null {
  if (paths === "") return own;
  const isFirst = own.paths === "";
  if (!isFirst && (own.paths !== paths || (from === null) !== (own.at.size === 0))) return null;
  return { ...own, paths, at: from === null ? own.at : new Set([...own.at, from]) };
}

function ofWhom(services: readonly string[]): string {
  return services.length === 0 ? "" : ` of ${services.join(", ")}`;
}

function isWhole({ path, exact }: PathRule): boolean {
  return path === "/" && !exact;
}

function printed(rules: readonly Decision<string | null>[]): string {
  return rules.map(({ rule, to }) => `${printPathRule(rule)} ${to}`).join("\n");
}
