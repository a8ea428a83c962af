// A configuration of HAProxy as services and static servers of the mesh, and what became of each of its lines.

import { MeshError } from "../domain/model/error.ts";
import { validateServer } from "../domain/validate/server.ts";
import { BackendLines, type ImportedServer } from "./backend-lines.ts";
import { readBind } from "./bind-line.ts";
import { type Diagnostic, Diagnostics } from "./diagnostics.ts";
import { exposureLabels, type Frontend, Frontends, type ServiceExposure } from "./frontends.ts";
import { keywordTreatments, optionTreatments } from "./keywords.ts";
import { type FrontendRouting, readRouting } from "./routing-lines.ts";
import { type ConfigSection, type Directive, readSections } from "./sections.ts";
import { suggest } from "./suggest.ts";
import { ConfigError, type ConfigVariables } from "./words.ts";

export type { ImportedServer } from "./backend-lines.ts";

export type ImportedService = {
  readonly name: string;
  /** The backend's or listen's. */
  readonly line: number;
  /** Published ports. */
  readonly ports: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
  readonly servers: readonly ImportedServer[];
};

export type ImportResult = {
  readonly services: readonly ImportedService[];
  readonly diagnostics: readonly Diagnostic[];
  /** Lines that cannot be read, by line. Where there is any, nothing is to be taken over. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
};

/** Reads a whole file. Never throws for what stands in it. */
export function importConfig(text: string, env: ConfigVariables): ImportResult {
  const { sections, errors } = readSections(text, env);
  const reading = new ConfigImporter(sections, [...errors]);
  return reading.run();
}

/** What a proxy says of itself, read once. */
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

  /** Sections that are no proxies: said, and left. */
  #skipSection({ kind, name, line, directives }: ConfigSection): void {
    if (kind === "defaults" || isProxyKind(kind)) return;
    if (kind === "global") {
      const note = "the mesh is no process of this machine";
      for (const directive of directives) this.#diagnostics.add(directive, "as is", note);
      return;
    }
    const head = { line, words: name === "" ? [kind] : [kind, name] };
    this.#diagnostics.add(
      head,
      "could not",
      `sections ${kind} have no counterpart, with their ${directives.length} lines`,
    );
  }

  #readProxy(section: ConfigSection): ProxySection {
    const all = [...section.defaults, ...section.directives];
    const mode = all.findLast(({ words }) => words[0] === "mode");
    const isHttp = mode?.words[1] === "http";
    if (mode !== undefined && isHttp) this.#diagnostics.add(mode, "taken");
    if (!isHttp) this.#refuseNonHttp(section, mode);
    const ports: number[] = [];
    const backend = new BackendLines(this.#diagnostics);
    for (const directive of all) {
      this.#collectErrors(directive, () => {
        if (directive.words[0] === "bind") ports.push(...readBind(directive, this.#diagnostics));
        else this.#readLine(directive, backend, section);
      });
    }
    let routing: FrontendRouting = { uses: [], fallback: null };
    this.#collectErrors({ line: section.line, words: [] }, () => {
      routing = readRouting(all, this.#diagnostics);
    });
    const isOff =
      all.findLast(({ words }) => words[0] === "disabled" || words[0] === "enabled")?.words[0] === "disabled";
    const servers = this.#collectErrors({ line: section.line, words: [] }, () => backend.servers()) ?? [];
    const checked = servers.filter((server) => this.#isValid(server));
    return { section, isHttp, isDisabled: isOff, ports, routing, labels: backend.labels(), servers: checked };
  }

  #refuseNonHttp({ kind, name, line, directives }: ConfigSection, mode: Directive | undefined): void {
    const why =
      mode === undefined ? "it has no `mode http`, and HAProxy's own is tcp" : `mode ${mode.words[1]}`;
    // A peers-like proxy without servers and routes would say nothing anyway.
    if (directives.length === 0) return;
    this.#diagnostics.add(
      { line, words: [kind, name] },
      "could not",
      `${why}: the mesh carries HTTP and WebSocket`,
    );
  }

  #readLine(directive: Directive, backend: BackendLines, { kind }: ConfigSection): void {
    const { line, words } = directive;
    const [head = ""] = words;
    if (proxyKeywords.has(head)) return;
    if (backend.tryRead(directive)) return;
    const option = head === "option" || (head === "no" && words[1] === "option");
    const name = head === "no" ? words[2] : words[1];
    const [outcome, note] = (option ? optionTreatments[name ?? ""] : keywordTreatments[head]) ?? [];
    if (outcome !== undefined) {
      this.#diagnostics.add(directive, outcome, note);
      return;
    }
    const known = option
      ? Object.keys(optionTreatments)
      : [...Object.keys(keywordTreatments), ...proxyKeywords, ...BackendLines.keywords];
    const meant = suggest((option ? name : head) ?? "", known);
    const what = option ? `option ${name ?? ""}` : head;
    throw new ConfigError(
      line,
      `HAProxy has no "${what}" in a ${kind}${meant === null ? "" : `: is ${meant} meant?`}`,
    );
  }

  #isValid({ line, spec }: ImportedServer): boolean {
    return (
      this.#collectErrors({ line, words: [] }, () => {
        validateServer(spec);
        return true;
      }) === true
    );
  }

  /** Collects what is wrong with a line, so that all of them are told at once. */
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

  /** Backends and listens that have servers become services; frontends say how they are reached. */
  #toServices(proxies: readonly ProxySection[]): readonly ImportedService[] {
    const targets = proxies.filter(({ section }) => section.kind !== "frontend");
    const fronts = proxies.filter(({ isHttp, isDisabled }) => isHttp && !isDisabled).map(frontendOf);
    const known = new Map(targets.map((proxy) => [proxy.section.name, becomesService(proxy)]));
    const reached = new Frontends(known, this.#diagnostics, (error) => this.#addError(error)).exposures(
      fronts,
    );
    return targets.flatMap((proxy) => this.#toService(proxy, reached.get(proxy.section.name)));
  }

  #toService(
    { section, isHttp, isDisabled, servers, labels }: ProxySection,
    how: ServiceExposure | undefined,
  ): readonly ImportedService[] {
    const { kind, name, line } = section;
    const head = { line, words: [kind, name] };
    if (!isHttp) return [];
    if (isDisabled) {
      this.#diagnostics.add(head, "could not", "it is disabled, and a service that is there answers");
      return [];
    }
    if (servers.length === 0) {
      if (kind === "listen" && how === undefined)
        this.#diagnostics.add(head, "as is", "it has no server to send to");
      else this.#diagnostics.add(head, "could not", "it has no server");
      return [];
    }
    if (how === undefined)
      this.#diagnostics.add(
        head,
        "taken",
        "nothing leads to it: it is reached as NAME.domain, and at a port the mesh chooses",
      );
    else this.#diagnostics.add(head, "taken");
    const all = { ...labels, ...(how !== undefined && exposureLabels(how)) };
    return [{ name, line, ports: [...(how?.ports ?? [])].sort((a, b) => a - b), labels: all, servers }];
  }
}

function becomesService({ isHttp, isDisabled, servers }: ProxySection): boolean {
  return isHttp && !isDisabled && servers.length > 0;
}

function frontendOf({ section, ports, routing, servers }: ProxySection): Frontend {
  const { kind, name, line } = section;
  const itself = kind === "listen" && servers.length > 0 ? name : null;
  return { kind, name, line, ports, routing, ownService: itself };
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
