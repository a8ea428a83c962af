// A configuration of HAProxy as services and static servers of the mesh, and what became of each of its lines.

import { MeshError } from "../domain/error.ts";
import { validateServer } from "../domain/validate-server.ts";
import { BackendLines, type ImportedServer } from "./backend-lines.ts";
import { readBind } from "./bind-line.ts";
import { keywords, likeliest, options } from "./keywords.ts";
import { type Front, Reach, type Reached, reachLabels } from "./reach.ts";
import { type Remark, Remarks } from "./remarks.ts";
import { type Routing, readRouting } from "./routing-lines.ts";
import { type Directive, readSections, type Section } from "./sections.ts";
import { ConfigError } from "./words.ts";

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

export type Imported = {
  readonly services: readonly ImportedService[];
  readonly remarks: readonly Remark[];
  /** Lines that cannot be read, by line. Where there is any, nothing is to be taken over. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
};

type Env = Readonly<Record<string, string | undefined>>;

/** Reads a whole file. Never throws for what stands in it. */
export function importConfig(text: string, env: Env): Imported {
  const { sections, errors } = readSections(text, env);
  const reading = new Reading(sections, [...errors]);
  return reading.all();
}

/** What a proxy says of itself, read once. */
type Proxy = {
  readonly section: Section;
  readonly isHttp: boolean;
  readonly isOff: boolean;
  readonly ports: readonly number[];
  readonly routing: Routing;
  readonly labels: Readonly<Record<string, string>>;
  readonly servers: readonly ImportedServer[];
};

class Reading {
  readonly #sections: readonly Section[];
  readonly #errors: ConfigError[];
  readonly #remarks = new Remarks();

  constructor(sections: readonly Section[], errors: ConfigError[]) {
    this.#sections = sections;
    this.#errors = errors;
  }

  all(): Imported {
    for (const section of this.#sections) this.#outside(section);
    const proxies = this.#sections.filter(isProxy).map((section) => this.#proxy(section));
    const services = this.#services(proxies);
    return {
      services,
      remarks: this.#remarks.all(),
      errors: this.#errors.map(({ line, message }) => ({ line, message })).sort((a, b) => a.line - b.line),
    };
  }

  /** Sections that are no proxies: said, and left. */
  #outside({ kind, name, line, directives }: Section): void {
    if (kind === "defaults" || isProxyKind(kind)) return;
    if (kind === "global") {
      const note = "the mesh is no process of this machine";
      for (const directive of directives) this.#remarks.add(directive, "as is", note);
      return;
    }
    const head = { line, words: name === "" ? [kind] : [kind, name] };
    this.#remarks.add(
      head,
      "could not",
      `sections ${kind} have no counterpart, with their ${directives.length} lines`,
    );
  }

  #proxy(section: Section): Proxy {
    const all = [...section.defaults, ...section.directives];
    const mode = all.findLast(({ words }) => words[0] === "mode");
    const isHttp = mode?.words[1] === "http";
    if (mode !== undefined && isHttp) this.#remarks.add(mode, "taken");
    if (!isHttp) this.#notHttp(section, mode);
    const ports: number[] = [];
    const backend = new BackendLines(this.#remarks);
    for (const directive of all) {
      this.#try(directive, () => {
        if (directive.words[0] === "bind") ports.push(...readBind(directive, this.#remarks));
        else this.#line(directive, backend, section);
      });
    }
    let routing: Routing = { uses: [], fallback: null };
    this.#try({ line: section.line, words: [] }, () => {
      routing = readRouting(all, this.#remarks);
    });
    const isOff =
      all.findLast(({ words }) => words[0] === "disabled" || words[0] === "enabled")?.words[0] === "disabled";
    const servers = this.#try({ line: section.line, words: [] }, () => backend.servers()) ?? [];
    const checked = servers.filter((server) => this.#isValid(server));
    return { section, isHttp, isOff, ports, routing, labels: backend.labels(), servers: checked };
  }

  #notHttp({ kind, name, line, directives }: Section, mode: Directive | undefined): void {
    const why =
      mode === undefined ? "it has no `mode http`, and HAProxy's own is tcp" : `mode ${mode.words[1]}`;
    // A peers-like proxy without servers and routes would say nothing anyway.
    if (directives.length === 0) return;
    this.#remarks.add(
      { line, words: [kind, name] },
      "could not",
      `${why}: the mesh carries HTTP and WebSocket`,
    );
  }

  #line(directive: Directive, backend: BackendLines, { kind }: Section): void {
    const { line, words } = directive;
    const [head = ""] = words;
    if (ownWords.has(head)) return;
    if (backend.takes(directive)) return;
    const option = head === "option" || (head === "no" && words[1] === "option");
    const name = head === "no" ? words[2] : words[1];
    const [outcome, note] = (option ? options[name ?? ""] : keywords[head]) ?? [];
    if (outcome !== undefined) {
      this.#remarks.add(directive, outcome, note);
      return;
    }
    const known = option
      ? Object.keys(options)
      : [...Object.keys(keywords), ...ownWords, ...BackendLines.words];
    const meant = likeliest((option ? name : head) ?? "", known);
    const what = option ? `option ${name ?? ""}` : head;
    throw new ConfigError(
      line,
      `HAProxy has no "${what}" in a ${kind}${meant === null ? "" : `: is ${meant} meant?`}`,
    );
  }

  #isValid({ line, spec }: ImportedServer): boolean {
    return (
      this.#try({ line, words: [] }, () => {
        validateServer(spec);
        return true;
      }) === true
    );
  }

  /** Collects what is wrong with a line, so that all of them are told at once. */
  #try<T>({ line }: Directive, work: () => T): T | undefined {
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
  #services(proxies: readonly Proxy[]): readonly ImportedService[] {
    const targets = proxies.filter(({ section }) => section.kind !== "frontend");
    const fronts = proxies.filter(({ isHttp, isOff }) => isHttp && !isOff).map(frontOf);
    const known = new Map(targets.map((proxy) => [proxy.section.name, becomesService(proxy)]));
    const reached = new Reach(known, this.#remarks, (error) => this.#addError(error)).all(fronts);
    return targets.flatMap((proxy) => this.#service(proxy, reached.get(proxy.section.name)));
  }

  #service(
    { section, isHttp, isOff, servers, labels }: Proxy,
    how: Reached | undefined,
  ): readonly ImportedService[] {
    const { kind, name, line } = section;
    const head = { line, words: [kind, name] };
    if (!isHttp) return [];
    if (isOff) {
      this.#remarks.add(head, "could not", "it is disabled, and a service that is there answers");
      return [];
    }
    if (servers.length === 0) {
      if (kind === "listen" && how === undefined)
        this.#remarks.add(head, "as is", "it has no server to send to");
      else this.#remarks.add(head, "could not", "it has no server");
      return [];
    }
    if (how === undefined)
      this.#remarks.add(
        head,
        "taken",
        "nothing leads to it: it is reached as NAME.domain, and at a port the mesh chooses",
      );
    else this.#remarks.add(head, "taken");
    const all = { ...labels, ...(how !== undefined && reachLabels(how)) };
    return [{ name, line, ports: [...(how?.ports ?? [])].sort((a, b) => a - b), labels: all, servers }];
  }
}

function becomesService({ isHttp, isOff, servers }: Proxy): boolean {
  return isHttp && !isOff && servers.length > 0;
}

function frontOf({ section, ports, routing, servers }: Proxy): Front {
  const { kind, name, line } = section;
  const itself = kind === "listen" && servers.length > 0 ? name : null;
  return { kind, name, line, ports, routing, itself };
}

const ownWords: ReadonlySet<string> = new Set([
  ...["mode", "bind", "acl", "use_backend", "default_backend", "disabled", "enabled"],
]);

function isProxy({ kind }: Section): boolean {
  return isProxyKind(kind);
}

function isProxyKind(kind: string): boolean {
  return kind === "frontend" || kind === "backend" || kind === "listen";
}
