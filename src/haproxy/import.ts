// Converts a HAProxy configuration into services and static servers, with a diagnostic for each line.
//
// The file is read as a whole first. Then it is decided what becomes of each section. A line gets its outcome
// last, because it depends on that of its section: no line of a section that is not imported is taken.

import { type ImportedBackend, type ImportedServer, readBackend, reportOtherLines } from "./backend-lines.ts";
import { readBind } from "./bind-line.ts";
import { clientTimeoutLabels, reportClientTimeout } from "./client-timeouts.ts";
import { type DiagnosedLine, type Diagnostic, Diagnostics } from "./diagnostics.ts";
import { effectiveLines, hasFrontend } from "./effective-lines.ts";
import {
  exposureLabels,
  type Frontend,
  type FrontendFate,
  Frontends,
  type ServiceExposure,
} from "./frontends.ts";
import { isGuard, type LostProtection, type LostRoute, protectionOf } from "./protection.ts";
import { isDisabled, undefinedReferences } from "./references.ts";
import { type FrontendRouting, readRouting } from "./routing-lines.ts";
import { type ConfigSection, type Directive, isProxyKind, readSections } from "./sections.ts";
import { serviceNames } from "./service-names.ts";
import { strictRefusals } from "./strict.ts";
import {
  idleTimeoutLabels,
  isIgnoredInTcp,
  type ProxyMode,
  reportIdleTimeouts,
  reportIgnoredInTcp,
  reportOtherInTcp,
  tcpRouting,
} from "./tcp-mode.ts";
import { globalTreatment } from "./treatments.ts";
import { type ConfigVariables, printWords } from "./words.ts";

export type ImportedService = {
  readonly name: string;
  /** The line of the backend or listen. */
  readonly line: number;
  /** Published ports. */
  readonly ports: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
  readonly servers: readonly ImportedServer[];
};

export type ImportResult = {
  readonly services: readonly ImportedService[];
  readonly diagnostics: readonly Diagnostic[];
  /** Lines that protect an imported service in HAProxy and not in the mesh. */
  readonly lostProtection: readonly LostProtection[];
  /** Rules that select a backend in HAProxy and not in the mesh. */
  readonly lostRoutes: readonly LostRoute[];
  /** The lines for which an import with `--strict` is refused. */
  readonly strictRefusals: readonly Diagnostic[];
  /** Lines that cannot be read, in order. With any error, nothing else is known or imported. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
};

/**
 * Imports a configuration. Never throws, whatever the text.
 *
 * @see docs/decisions/0040-haproxy-import.md
 * @see docs/decisions/0064-import-in-two-passes.md
 */
export function importConfig(text: string, env: ConfigVariables): ImportResult {
  const { sections, errors: unreadable } = readSections(text, env);
  const errors = [...unreadable, ...undefinedReferences(sections)]
    .map(({ line, message }) => ({ line, message }))
    .sort((a, b) => a.line - b.line);
  if (errors.length > 0)
    return { services: [], diagnostics: [], lostProtection: [], lostRoutes: [], strictRefusals: [], errors };
  return new ConfigImporter(sections).run();
}

/** A frontend, backend or listen section. */
type ProxySection = {
  readonly section: ConfigSection;
  /** Its lines that HAProxy uses, with those of its defaults. */
  readonly used: readonly Directive[];
  readonly unused: ReturnType<typeof effectiveLines>["unused"];
  readonly mode: ProxyMode;
  /** Why the mesh cannot have the section at all; null if it can. */
  readonly refusal: string | null;
  /** The diagnostics of its lines as a backend, which count if it becomes a service. */
  readonly backendDiagnostics: Diagnostics;
  readonly backend: ImportedBackend;
  /** The diagnostics of its binds, which count if its ports are published. */
  readonly bindDiagnostics: Diagnostics;
  readonly ports: readonly number[];
  readonly routing: FrontendRouting;
};

class ConfigImporter {
  readonly #sections: readonly ConfigSection[];
  readonly #proxies: readonly ProxySection[];
  readonly #diagnostics = new Diagnostics();
  readonly #lostProtection: LostProtection[] = [];
  readonly #lostRoutes: LostRoute[] = [];
  readonly #serviceByBackend: ReadonlyMap<string, string>;
  /** The label for `timeout client` of each backend's service, as text. */
  readonly #clientTimeouts = new Map<string, string>();

  constructor(sections: readonly ConfigSection[]) {
    this.#sections = sections;
    this.#proxies = sections.filter(({ kind }) => isProxyKind(kind)).map(readProxy);
    const backends = this.#proxies.filter(becomesService).map(({ section }) => section.name);
    this.#serviceByBackend = serviceNames(backends);
  }

  run(): ImportResult {
    const backends = this.#proxies.filter(({ section }) => section.kind !== "frontend");
    const modeByName = new Map(
      backends.map((proxy) => [proxy.section.name, becomesService(proxy) ? proxy.mode : null]),
    );
    const frontends = new Frontends(modeByName, this.#diagnostics);
    const fronting = this.#proxies.filter(({ section, refusal }) => hasFrontend(section) && refusal === null);
    const exposures = frontends.exposures(fronting.map(frontendOf));
    const services = backends.flatMap((proxy) =>
      this.#toService(proxy, exposures.get(proxy.section.name), frontends.fates),
    );
    for (const proxy of this.#proxies) this.#reportProxy(proxy, frontends.fates.get(proxy.section.line));
    for (const section of this.#sections) this.#reportSection(section);
    for (const section of this.#sections) this.#reportUnsetVariables(section);
    const diagnostics = this.#diagnostics.all();
    return {
      services,
      diagnostics,
      lostProtection: this.#lostProtection.sort((a, b) => a.line - b.line),
      lostRoutes: this.#lostRoutes.sort((a, b) => a.line - b.line),
      strictRefusals: strictRefusals(this.#sections, diagnostics),
      errors: [],
    };
  }

  #toService(
    proxy: ProxySection,
    exposure: ServiceExposure | undefined,
    fates: ReadonlyMap<number, FrontendFate>,
  ): readonly ImportedService[] {
    const { section, backend } = proxy;
    const name = this.#serviceByBackend.get(section.name);
    if (name === undefined) return [];
    const ports = [...(exposure?.ports ?? [])].sort((a, b) => a - b);
    const fronts = this.#proxies.filter(({ section: front }) => leadsTo(fates.get(front.line), section.name));
    const frontLines = fronts.map(({ used }) => used);
    const clientTimeouts =
      proxy.mode === "tcp" ? idleTimeoutLabels(proxy.used, frontLines) : clientTimeoutLabels(frontLines);
    this.#clientTimeouts.set(section.name, JSON.stringify(clientTimeouts));
    const labels = {
      ...backend.labels,
      ...clientTimeouts,
      ...(exposure !== undefined && exposureLabels(exposure, (other) => this.#nameOf(other))),
    };
    const notes = [
      ...(name === section.name ? [] : [`as service ${name}`]),
      ...(exposure === undefined ? [unreachedNote] : []),
    ];
    this.#diagnostics.add(headOf(section), "taken", notes.join("; "));
    return [{ name, line: section.line, ports, labels, servers: backend.servers }];
  }

  #nameOf(backend: string): string {
    return this.#serviceByBackend.get(backend) ?? backend;
  }

  #reportProxy(proxy: ProxySection, fate: FrontendFate | undefined): void {
    const { section, refusal, unused } = proxy;
    const isFront = fate !== undefined && fate.kind !== "nowhere";
    const isService = becomesService(proxy);
    if (!isFront && !isService) {
      this.#reportUnimported(proxy, refusal ?? unimportedReason(proxy, fate));
      return;
    }
    for (const { directive, note } of unused) this.#diagnostics.add(directive, "as is", note);
    if (isService) this.#diagnostics.addAll(proxy.backendDiagnostics);
    if (isFront) this.#reportFrontend(proxy, fate);
    const mode = proxy.used.find(({ words }) => words[0] === "mode");
    if (mode !== undefined) this.#diagnostics.add(mode, "taken");
    const lines = proxy.used.filter((directive) => isService || !this.#isBackendOnly(directive, section));
    if (proxy.mode === "tcp") {
      reportIgnoredInTcp(lines, this.#diagnostics);
      reportIdleTimeouts(lines, this.#diagnostics);
      reportOtherInTcp(lines, this.#diagnostics);
    }
    reportOtherLines(lines, this.#diagnostics);
    this.#findLostProtection(proxy, isFront ? fate.backends : [section.name]);
  }

  /** A listen without servers has the backend lines of its defaults, and no use for them. */
  #isBackendOnly(directive: Directive, { kind, directives }: ConfigSection): boolean {
    return kind === "listen" && !directives.includes(directive) && !this.#diagnostics.has(directive);
  }

  #reportFrontend(
    { section, used, mode, routing, bindDiagnostics, ports }: ProxySection,
    fate: Exclude<FrontendFate, { kind: "nowhere" }>,
  ): void {
    const head = headOf(section);
    if (section.kind === "frontend") this.#diagnostics.add(head, "taken");
    if (fate.kind === "published") this.#diagnostics.addAll(bindDiagnostics);
    else {
      const why = "without a default_backend no port is published: services are reached by host name";
      for (const line of used.filter(({ words }) => words[0] === "bind"))
        this.#diagnostics.add(line, "could not", why);
    }
    if (ports.length === 0 && fate.kind === "published")
      this.#diagnostics.add(head, "could not", "it binds no port that the mesh can publish");
    if (mode === "http") {
      const ownTimeout = JSON.stringify(clientTimeoutLabels([used]));
      const others = fate.backends.filter((backend) => this.#clientTimeouts.get(backend) !== ownTimeout);
      reportClientTimeout(used, others, this.#diagnostics);
    }
    const takenUses = routing.uses.filter(({ directive }) => this.#diagnostics.has(directive, "taken"));
    const usedAcls = new Set(takenUses.flatMap(({ aclLines }) => aclLines));
    for (const { directive, why } of routing.acls) {
      if (usedAcls.has(directive)) this.#diagnostics.add(directive, "taken");
      else this.#diagnostics.add(directive, "could not", why ?? "no rule that is imported uses it");
    }
  }

  /** Gives each line of a section that is not imported the reason for it. */
  #reportUnimported({ section, used }: ProxySection, why: string): void {
    const head = headOf(section);
    this.#diagnostics.add(head, "could not", why);
    for (const directive of section.directives) this.#addReason(directive, why);
    for (const directive of used) {
      if (!section.directives.includes(directive)) this.#unimportedDefaults.set(directive, why);
    }
  }

  /** Lines of defaults of sections that are not imported, which other sections may use. */
  readonly #unimportedDefaults = new Map<Directive, string>();

  #addReason(directive: Directive, why: string): void {
    if (!this.#diagnostics.has(directive, "could not")) this.#diagnostics.add(directive, "could not", why);
  }

  /** Adds diagnostics for sections that are not proxies, and for lines of defaults that no section uses. */
  #reportSection(section: ConfigSection): void {
    const { kind, directives } = section;
    if (isProxyKind(kind)) return;
    if (kind === "global") {
      for (const directive of directives) this.#diagnostics.add(directive, ...globalTreatment(directive));
      return;
    }
    if (kind === "defaults") {
      for (const directive of directives) {
        if (this.#diagnostics.has(directive)) continue;
        const why = this.#unimportedDefaults.get(directive) ?? "no section that is imported uses it";
        this.#diagnostics.add(directive, "could not", why);
      }
      return;
    }
    const why = `the mesh has no counterpart of a ${kind} section`;
    this.#diagnostics.add(headOf(section), "could not", why);
    for (const directive of directives) this.#diagnostics.add(directive, "could not", why);
  }

  /** HAProxy inserts nothing for a variable that is not set, and so does the import. */
  #reportUnsetVariables({ directives }: ConfigSection): void {
    for (const directive of directives) {
      const names = [...new Set(directive.unset)].join(", ");
      if (names !== "" && !this.#diagnostics.has(directive, "could not"))
        this.#diagnostics.add(directive, "could not", `${names} is not set: nothing was inserted for it`);
    }
  }

  #findLostProtection({ section, used, mode, routing }: ProxySection, backends: readonly string[]): void {
    const services = [...new Set(backends.map((backend) => this.#nameOf(backend)))];
    const lose = (directive: Directive, effect: string) => {
      const { line } = directive;
      const text = printWords(directive.words);
      if (this.#lostProtection.some((lost) => lost.line === line && lost.section === sectionText(section)))
        return;
      this.#lostProtection.push({ line, text, section: sectionText(section), effect, services });
    };
    for (const directive of used) {
      // A line of defaults has its outcome from the proxies that use it, also where another one ignores it.
      if (mode === "tcp" && isIgnoredInTcp(directive)) continue;
      const effect = protectionOf(directive);
      if (effect !== null && this.#diagnostics.has(directive, "could not")) lose(directive, effect);
    }
    for (const { directive, backend, criterion } of routing.unsupported) {
      if (isGuard(criterion)) lose(directive, `sends these requests to ${backend} alone`);
      else {
        const { line, words } = directive;
        this.#lostRoutes.push({ line, text: printWords(words), section: sectionText(section), backend });
      }
    }
    for (const { directive, backend } of routing.uses) {
      const isService = this.#serviceByBackend.has(backend);
      if (!isService) lose(directive, `sends these requests to ${backend}, which is not imported`);
    }
  }
}

function readProxy(section: ConfigSection): ProxySection {
  const { used, unused } = effectiveLines(section);
  const backendDiagnostics = new Diagnostics();
  const bindDiagnostics = new Diagnostics();
  const binds = used.filter(({ words }) => words[0] === "bind");
  const mode = modeOf(used);
  const routing = readRouting(section.kind === "backend" ? [] : used);
  return {
    ...{ section, used, unused, mode, backendDiagnostics, bindDiagnostics },
    refusal: refusalOf(section),
    backend:
      section.kind === "frontend" ? { servers: [], labels: {} } : readBackend(used, mode, backendDiagnostics),
    ports: section.kind === "backend" ? [] : binds.flatMap((bind) => readBind(bind, mode, bindDiagnostics)),
    routing: mode === "tcp" ? tcpRouting(routing) : routing,
  };
}

/** HAProxy's default is tcp. */
function modeOf(used: readonly Directive[]): ProxyMode {
  return used.find(({ words }) => words[0] === "mode")?.words[1] === "http" ? "http" : "tcp";
}

function refusalOf(section: ConfigSection): string | null {
  return isDisabled(section) ? "it is disabled, and a service would serve requests" : null;
}

function unimportedReason(proxy: ProxySection, fate: FrontendFate | undefined): string {
  const { section, used } = proxy;
  if (isStatsPage(proxy)) return "it is a statistics page, and the balancer has its own: docs/stats.md";
  if (section.kind === "frontend") return fate?.kind === "nowhere" ? fate.why : "it leads to no backend";
  const hasServerLines = used.some(({ words }) => words[0] === "server");
  return hasServerLines ? "it has no servers that the mesh can reach" : "it has no servers";
}

/** True if a section shows HAProxy's statistics and leads to no server. */
function isStatsPage({ used, routing: { uses, unsupported, fallback } }: ProxySection): boolean {
  const keywords = new Set(used.map(({ words }) => words[0]));
  const leadsSomewhere = keywords.has("server") || uses.length + unsupported.length > 0 || fallback !== null;
  return keywords.has("stats") && !leadsSomewhere;
}

const unreachedNote =
  "no frontend leads to it: it is reached as NAME.domain, and at a port that the mesh chooses";

function becomesService({ section, refusal, backend }: ProxySection): boolean {
  return section.kind !== "frontend" && refusal === null && backend.servers.length > 0;
}

function frontendOf(proxy: ProxySection): Frontend {
  const { section, mode, ports, routing } = proxy;
  const { kind, name, line } = section;
  return { kind, name, line, mode, ports, routing, ownBackend: becomesService(proxy) ? name : null };
}

function leadsTo(fate: FrontendFate | undefined, backend: string): boolean {
  return fate !== undefined && fate.kind !== "nowhere" && fate.backends.includes(backend);
}

function headOf({ kind, name, line }: ConfigSection): DiagnosedLine {
  return { line, words: name === "" ? [kind] : [kind, name] };
}

function sectionText({ kind, name }: ConfigSection): string {
  return `${kind} ${name}`;
}
