// Traefik's labels of a container or Swarm service, as the mesh's own labels.
//
// A subset is read (docs/discovery.md); everything else is a warning. A rule that is not understood whole
// publishes nothing, because a part of it would let other requests in.

import { isHostName } from "../../domain/model/host-name.ts";

/** What Traefik's labels ask for. */
export type TraefikReading = {
  /** `waggle.*` labels of the same meaning. */
  readonly labels: Readonly<Record<string, string>>;
  /** The port of the container; null: no label names one. */
  readonly port: number | null;
  /** True if they ask for anything. */
  readonly isAsked: boolean;
  /** Each a clause for people. */
  readonly warnings: readonly string[];
};

/** One way to match: a host name, and a path unless every path matches. */
type Match = { readonly host: string | null; readonly path: string | null };

const routerPattern = /^traefik\.http\.routers\.([^.]+)\.(.+)$/i;
const servicePattern = /^traefik\.http\.services\.([^.]+)\.loadbalancer\.(.+)$/i;
const middlewarePattern = /^traefik\.http\.middlewares\.([^.]+)\.([^.]+)(?:\.|$)/i;

/** Middlewares that let a request pass as it is, or only change its form. Without any other, access is the same. */
const openMiddlewares: ReadonlySet<string> = new Set([
  "buffering",
  "circuitbreaker",
  "compress",
  "contenttype",
  "errors",
  "headers",
  "passtlsclientcert",
  "ratelimit",
  "redirectregex",
  "redirectscheme",
  "retry",
]);

/** Settings without a meaning for the mesh, whose entry points and certificates are its own. */
const silentSettings: ReadonlySet<string> = new Set(["tls", "tls.certresolver"]);
/** Entry points by the names that Traefik's documentation gives to those of HTTP and HTTPS. */
const publicEntryPoints: ReadonlySet<string> = new Set(["web", "websecure", "http", "https"]);

/** What Traefik reads as true; other values turn a container off there as well. Go's strconv.ParseBool. */
const trueTexts: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);

/** Reads the `traefik.*` labels. Without any, or with a `traefik.enable` that is not true, nothing is asked for. */
export function readTraefik(labels: Readonly<Record<string, string>>): TraefikReading {
  const own = Object.entries(labels).filter(([key]) => key.toLowerCase().startsWith("traefik."));
  const isOff = own.some(([key, value]) => key.toLowerCase() === "traefik.enable" && !trueTexts.has(value));
  if (own.length === 0 || isOff) return { labels: {}, port: null, isAsked: false, warnings: [] };
  const reading = new Reading(own);
  return reading.result();
}

class Reading {
  readonly #warnings: string[] = [];
  readonly #unread: string[] = [];
  readonly #routers = new Map<string, Map<string, string>>();
  readonly #services = new Map<string, Map<string, string>>();
  /** The kinds of each middleware. */
  readonly #middlewares = new Map<string, Set<string>>();

  constructor(labels: readonly (readonly [string, string])[]) {
    for (const [key, value] of labels) {
      const [, router, routerSetting] = routerPattern.exec(key) ?? [];
      const [, service, setting] = servicePattern.exec(key) ?? [];
      const [, middleware, kind] = middlewarePattern.exec(key) ?? [];
      if (router !== undefined) put(this.#routers, router, routerSetting ?? "", value);
      else if (service !== undefined) put(this.#services, service, setting ?? "", value);
      else if (middleware !== undefined)
        this.#addMiddleware(middleware.toLowerCase(), (kind ?? "").toLowerCase());
      else if (key.toLowerCase() !== "traefik.enable") this.#unread.push(key);
    }
  }

  #addMiddleware(name: string, kind: string): void {
    this.#middlewares.set(name, (this.#middlewares.get(name) ?? new Set()).add(kind));
  }

  result(): TraefikReading {
    const matches = [...this.#routers].flatMap(([name, settings]) => this.#router(name, settings));
    const [service, ...others] = this.#services;
    for (const [name] of others)
      this.#warnings.push(`traefik service ${name} is not published: one service of a container can be`);
    const { labels, port } = service === undefined ? { labels: {}, port: null } : this.#service(...service);
    if (this.#unread.length > 0) {
      const named = this.#unread.slice(0, 5).join(", ");
      const more = this.#unread.length > 5 ? ` and ${this.#unread.length - 5} more` : "";
      this.#warnings.push(`Traefik labels without effect here: ${named}${more}`);
    }
    return {
      labels: { ...labels, ...matchLabels(matches) },
      port,
      isAsked: this.#routers.size + this.#services.size > 0,
      warnings: this.#warnings,
    };
  }

  #router(name: string, settings: ReadonlyMap<string, string>): readonly Match[] {
    const rule = settings.get("rule");
    for (const [setting, value] of settings) {
      if (setting === "rule" || setting === "middlewares" || setting === "service") continue;
      if (setting === "entrypoints" && hasPublicEntryPoint(value)) continue;
      if (!silentSettings.has(setting) && !setting.startsWith("tls.domains"))
        this.#unread.push(`traefik.http.routers.${name}.${setting}`);
    }
    if (rule === undefined) {
      this.#warnings.push(`router ${name} publishes nothing: it has no rule`);
      return [];
    }
    const service = settings.get("service")?.replace(/@docker$|@swarm$/, "");
    const [first] = this.#services.keys();
    if (service !== undefined && service !== first) {
      this.#warnings.push(
        `router ${name} is not published: its service ${service} is not one that these labels define first`,
      );
      return [];
    }
    const protection = this.#protectionOf(settings);
    if (protection !== null) {
      this.#warnings.push(
        `router ${name} is not published: ${protection}; remove it or publish the service by waggle.host`,
      );
      return [];
    }
    try {
      return readRule(rule);
    } catch (error) {
      this.#warnings.push(
        `router ${name} is not published: cannot read its rule "${rule}": ${(error as Error).message}; write it as Host(\`www.example.com\`) && PathPrefix(\`/api\`)`,
      );
      return [];
    }
  }

  /** What may keep clients from a router, as a clause; null if nothing does. */
  #protectionOf(settings: ReadonlyMap<string, string>): string | null {
    const guard = this.#guardOf(settings.get("middlewares"));
    if (guard !== null) return `middleware ${guard} may protect it, and the mesh does not apply middlewares`;
    const entryPoints = settings.get("entrypoints");
    if (entryPoints !== undefined && !hasPublicEntryPoint(entryPoints))
      return `its entry points ${entryPoints} may not be public, and the mesh has its own`;
    const options = settings.get("tls.options") ?? "default";
    if (options !== "default")
      return `its TLS options ${options} may ask for client certificates, which the mesh does not check`;
    return null;
  }

  /** The first middleware that may refuse requests; null if all are known to let them pass, with a warning. */
  #guardOf(text: string | undefined): string | null {
    const names = (text ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const isOpen = (name: string): boolean => {
      const kinds = this.#middlewares.get(name.replace(/@docker$|@swarm$/, "").toLowerCase());
      return kinds !== undefined && [...kinds].every((kind) => openMiddlewares.has(kind));
    };
    const guard = names.find((name) => !isOpen(name));
    if (guard === undefined && names.length > 0)
      this.#warnings.push(`middlewares without effect here: ${names.join(", ")}`);
    return guard ?? null;
  }

  #service(name: string, settings: ReadonlyMap<string, string>): Pick<TraefikReading, "labels" | "port"> {
    const labels: Record<string, string> = {};
    let port: number | null = null;
    for (const [setting, value] of settings) {
      if (setting === "server.port") port = this.#port(name, value);
      else if (setting === "sticky.cookie" || setting === "sticky")
        labels["waggle.sticky"] ??= value === "false" ? "" : "waggle";
      else if (setting === "sticky.cookie.name") labels["waggle.sticky"] = value;
      else if (setting === "healthcheck.path") labels["waggle.probe"] = `http:${value}`;
      else if (setting === "server.scheme" && value === "http") continue;
      else if (setting === "passhostheader" && value === "true") continue;
      else this.#unread.push(`traefik.http.services.${name}.loadbalancer.${setting}`);
    }
    const { "waggle.sticky": sticky, ...rest } = labels;
    return { labels: sticky ? { ...rest, "waggle.sticky": sticky } : rest, port };
  }

  #port(name: string, text: string): number | null {
    const port = Number(text);
    if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
    this.#warnings.push(`cannot read the port "${text}" of traefik service ${name}: use 1 to 65535`);
    return null;
  }
}

function hasPublicEntryPoint(text: string): boolean {
  return text.split(",").some((name) => publicEntryPoints.has(name.trim()));
}

function put(map: Map<string, Map<string, string>>, name: string, setting: string, value: string): void {
  const settings = map.get(name) ?? new Map<string, string>();
  settings.set(setting.toLowerCase(), value);
  map.set(name, settings);
}

function matchLabels(matches: readonly Match[]): Readonly<Record<string, string>> {
  const hosts = [...new Set(matches.flatMap(({ host, path }) => (path === null ? (host ?? []) : [])))];
  const paths = [...new Set(matches.flatMap(({ host, path }) => (path === null ? [] : `${host}${path}`)))];
  return {
    ...(hosts.length > 0 && { "waggle.host": hosts.join(",") }),
    ...(paths.length > 0 && { "waggle.path": paths.join(",") }),
  };
}

/** Alternatives that a rule may have; more are refused. */
const maxMatches = 64;

/**
 * Reads a rule of `Host`, `PathPrefix` and `Path`, with `&&`, `||` and parentheses.
 *
 * @returns the alternatives, each with a host name
 * @throws Error with the reason why it cannot be read
 */
export function readRule(rule: string): readonly Match[] {
  const parser = new RuleParser(rule);
  const matches = parser.alternatives();
  parser.end();
  for (const { host, path } of matches) {
    if (host === null)
      throw new Error(
        `${path === null ? "it" : `path ${path}`} has no Host, and would take every service's requests`,
      );
  }
  return matches;
}

class RuleParser {
  readonly #tokens: readonly string[];
  #index = 0;

  constructor(rule: string) {
    this.#tokens = rule.match(/&&|\|\||[A-Za-z]+|`[^`]*`|"[^"]*"|'[^']*'|\S/g) ?? [];
    if (this.#tokens.length > 500) throw new Error("it is too long");
  }

  alternatives(): readonly Match[] {
    let matches = this.#all();
    while (this.#take("||")) matches = bounded([...matches, ...this.#all()]);
    return matches;
  }

  end(): void {
    const token = this.#tokens[this.#index];
    if (token !== undefined) throw new Error(`"${token}" is not expected there`);
  }

  #all(): readonly Match[] {
    let matches = this.#one();
    while (this.#take("&&")) {
      const others = this.#one();
      matches = bounded(matches.flatMap((left) => others.map((right) => both(left, right))));
    }
    return matches;
  }

  #one(): readonly Match[] {
    if (this.#take("(")) {
      const inner = this.alternatives();
      this.#expect(")");
      return inner;
    }
    const name = this.#tokens[this.#index++];
    if (name === undefined) throw new Error("it ends too early");
    if (!["host", "pathprefix", "path"].includes(name.toLowerCase()))
      throw new Error(
        `${name === "!" ? "!" : `matcher ${name}`} is not known; known are Host, PathPrefix and Path`,
      );
    this.#expect("(");
    const values = [this.#text()];
    while (this.#take(",")) values.push(this.#text());
    this.#expect(")");
    return values.map((value) => matchOf(name.toLowerCase(), value));
  }

  #text(): string {
    const token = this.#tokens[this.#index++] ?? "";
    if (!/^[`"']/.test(token) || token.length < 2)
      throw new Error(`a text in backticks is expected at "${token}"`);
    return token.slice(1, -1);
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#index] !== token) return false;
    this.#index += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw new Error(`"${token}" is expected at "${this.#tokens[this.#index] ?? ""}"`);
  }
}

function matchOf(matcher: string, value: string): Match {
  if (matcher === "host") {
    if (!isHostName(value.toLowerCase())) throw new Error(`"${value}" is not a host name`);
    return { host: value.toLowerCase(), path: null };
  }
  if (!/^\/[!"$-+\--<=>@-~]*$/.test(value)) throw new Error(`"${value}" is not a path`);
  return { host: null, path: matcher === "path" ? `=${value}` : value };
}

/** @throws Error if both name a host or both a path, which no request or only some of one matches */
function both(a: Match, b: Match): Match {
  if ((a.host !== null && b.host !== null) || (a.path !== null && b.path !== null))
    throw new Error("two host names or two paths are joined by &&");
  return { host: a.host ?? b.host, path: a.path ?? b.path };
}

function bounded(matches: readonly Match[]): readonly Match[] {
  if (matches.length > maxMatches) throw new Error(`it has more than ${maxMatches} alternatives`);
  return matches;
}
