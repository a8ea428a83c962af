// Converts a HAProxy configuration into services and static servers, with a diagnostic for each line.

import { MeshError } from "../domain/model/error.ts";
import { validateServer } from "../domain/validate/server.ts";
import { BackendLines, type ImportedServer } from "./backend-lines.ts";
import { readBind } from "./bind-line.ts";
import { type Diagnostic, Diagnostics } from "./diagnostics.ts";
import { exposureLabels, type Frontend, Frontends, type ServiceExposure } from "./frontends.ts";
import { keywordTreatments, optionTreatments } from "./keywords.ts";
import { type FrontendRouting, readRouting } from "./routing-lines.ts";
import { type ConfigSection, type Directive, readSections } from "./sections.ts";
import { didYouMean, suggest } from "./suggest.ts";
import { ConfigError, type ConfigVariables } from "./words.ts";

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
  /** Lines that cannot be read, in order. With any error, nothing should be imported. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
};

/**
 * Imports a configuration. Never throws, whatever the text.
 *
 * @see docs/decisions/0040-haproxy-import.md
 */
export function importConfig(text: string, env: ConfigVariables): ImportResult {
  const { sections, errors } = readSections(text, env);
  return new ConfigImporter(sections, [...errors]).run();
}

/** A frontend, backend or listen section. */
type ProxySection = {
  readonly section: ConfigSection;
  readonly isHttp: boolean;
  readonly isDisabled: boolean;
  readonly ports: readonly number[];
  readonly routing: FrontendRouting;
  readonly labels: Readonly<Record<string, string>>;
  readonly servers: readonly ImportedServer[];
};

class ConfigImporter {
  readonly #sections: readonly ConfigSection[];
  readonly #errors: ConfigError[];
  readonly #diagnostics = new Diagnostics();

  constructor(sections: readonly ConfigSection[], errors: ConfigError[]) {
    this.#sections = sections;
    this.#errors = errors;
  }

  run(): ImportResult {
    for (const section of this.#sections) this.#skipSection(section);
    const proxies = this.#sections.filter(isProxy).map((section) => this.#readProxy(section));
    const services = this.#toServices(proxies);
    return {
      services,
      diagnostics: this.#diagnostics.all(),
      errors: this.#errors.map(({ line, message }) => ({ line, message })).sort((a, b) => a.line - b.line),
    };
  }

  /** Adds diagnostics for a section that is not a proxy. */
  #skipSection({ kind, name, line, directives }: ConfigSection): void {
    if (kind === "defaults" || isProxyKind(kind)) return;
    if (kind === "global") {
      const note = "the mesh has no process settings";
      for (const directive of directives) this.#diagnostics.add(directive, "as is", note);
      return;
    }
    const head = { line, words: name === "" ? [kind] : [kind, name] };
    this.#diagnostics.add(
      head,
      "could not",
      `the mesh has no counterpart of a ${kind} section (${directives.length} lines)`,
    );
  }

  #readProxy(section: ConfigSection): ProxySection {
    const directives = [...section.defaults, ...section.directives];
    const mode = directives.findLast(({ words }) => words[0] === "mode");
    const isHttp = mode?.words[1] === "http";
    if (mode !== undefined && isHttp) this.#diagnostics.add(mode, "taken");
    if (!isHttp) this.#refuseNonHttp(section, mode);
    const ports: number[] = [];
    const backend = new BackendLines(this.#diagnostics);
    for (const directive of directives) {
      this.#collectErrors(directive, () => {
        if (directive.words[0] === "bind") ports.push(...readBind(directive, this.#diagnostics));
        else this.#readLine(directive, backend, section);
      });
    }
    let routing: FrontendRouting = { uses: [], fallback: null };
    this.#collectErrors({ line: section.line, words: [] }, () => {
      routing = readRouting(directives, this.#diagnostics);
    });
    const isDisabled =
      directives.findLast(({ words }) => words[0] === "disabled" || words[0] === "enabled")?.words[0] ===
      "disabled";
    const servers = this.#collectErrors({ line: section.line, words: [] }, () => backend.servers()) ?? [];
    const validServers = servers.filter((server) => this.#isValid(server));
    return { section, isHttp, isDisabled, ports, routing, labels: backend.labels(), servers: validServers };
  }

  #refuseNonHttp({ kind, name, line, directives }: ConfigSection, mode: Directive | undefined): void {
    if (directives.length === 0) return;
    const reason =
      mode === undefined ? "it has no `mode http`, and HAProxy's default is tcp" : `mode ${mode.words[1]}`;
    this.#diagnostics.add(
      { line, words: [kind, name] },
      "could not",
      `${reason}: the mesh supports HTTP and WebSocket only`,
    );
  }

  #readLine(directive: Directive, backend: BackendLines, { kind }: ConfigSection): void {
    const { line, words } = directive;
    const [head = ""] = words;
    if (proxyKeywords.has(head)) return;
    if (backend.tryRead(directive)) return;
    const isOption = head === "option" || (head === "no" && words[1] === "option");
    const optionName = (head === "no" ? words[2] : words[1]) ?? "";
    const [outcome, note] = (isOption ? optionTreatments.get(optionName) : keywordTreatments.get(head)) ?? [];
    if (outcome !== undefined) {
      this.#diagnostics.add(directive, outcome, note);
      return;
    }
    const known = isOption
      ? optionTreatments.keys()
      : [...keywordTreatments.keys(), ...proxyKeywords, ...backend.keywords];
    const hint = didYouMean(suggest(isOption ? optionName : head, known));
    const keyword = isOption ? `option ${optionName}` : head;
    throw new ConfigError(line, `unknown keyword "${keyword}" in a ${kind}${hint}`);
  }

  #isValid({ line, spec }: ImportedServer): boolean {
    return (
      this.#collectErrors({ line, words: [] }, () => {
        validateServer(spec);
        return true;
      }) === true
    );
  }

  /** Collects the errors of `work`, so that all errors of the file are reported together. */
  #collectErrors<T>({ line }: Directive, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (error instanceof ConfigError) this.#addError(error);
      else if (error instanceof MeshError) this.#addError(new ConfigError(line, error.message));
      else throw error;
      return undefined;
    }
  }

  #addError(error: ConfigError): void {
    if (!this.#errors.some(({ line, message }) => line === error.line && message === error.message))
      this.#errors.push(error);
  }

  /** Each backend or listen with servers becomes a service; the frontends determine how it is reached. */
  #toServices(proxies: readonly ProxySection[]): readonly ImportedService[] {
    const backends = proxies.filter(({ section }) => section.kind !== "frontend");
    const frontends = proxies.filter(({ isHttp, isDisabled }) => isHttp && !isDisabled).map(frontendOf);
    const isServiceByName = new Map(backends.map((proxy) => [proxy.section.name, becomesService(proxy)]));
    const addError = (error: ConfigError) => this.#addError(error);
    const exposures = new Frontends(isServiceByName, this.#diagnostics, addError).exposures(frontends);
    return backends.flatMap((proxy) => this.#toService(proxy, exposures.get(proxy.section.name)));
  }

  #toService(
    { section, isHttp, isDisabled, servers, labels }: ProxySection,
    exposure: ServiceExposure | undefined,
  ): readonly ImportedService[] {
    const { kind, name, line } = section;
    const head = { line, words: [kind, name] };
    if (!isHttp) return [];
    if (isDisabled) {
      this.#diagnostics.add(head, "could not", "it is disabled, and a service would serve requests");
      return [];
    }
    if (servers.length === 0) {
      const outcome = kind === "listen" && exposure === undefined ? "as is" : "could not";
      this.#diagnostics.add(head, outcome, "it has no servers");
      return [];
    }
    if (exposure === undefined) {
      const note =
        "no frontend leads to it: it is reached as NAME.domain, and at a port that the mesh chooses";
      this.#diagnostics.add(head, "taken", note);
      return [{ name, line, ports: [], labels, servers }];
    }
    this.#diagnostics.add(head, "taken");
    const ports = [...exposure.ports].sort((a, b) => a - b);
    return [{ name, line, ports, labels: { ...labels, ...exposureLabels(exposure) }, servers }];
  }
}

function becomesService({ isHttp, isDisabled, servers }: ProxySection): boolean {
  return isHttp && !isDisabled && servers.length > 0;
}

function frontendOf({ section, ports, routing, servers }: ProxySection): Frontend {
  const { kind, name, line } = section;
  const ownService = kind === "listen" && servers.length > 0 ? name : null;
  return { kind, name, line, ports, routing, ownService };
}

const proxyKeywords: ReadonlySet<string> = new Set([
  ...["mode", "bind", "acl", "use_backend", "default_backend", "disabled", "enabled"],
]);

function isProxy({ kind }: ConfigSection): boolean {
  return isProxyKind(kind);
}

function isProxyKind(kind: string): boolean {
  return kind === "frontend" || kind === "backend" || kind === "listen";
}
