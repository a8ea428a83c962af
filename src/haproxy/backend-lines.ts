// The lines of a backend about its servers, their checks and the balancing.

import {
  type AdminState,
  defaultHttpCheck,
  type HttpCheck,
  type ServerSpec,
  withCheckDefaults,
} from "../domain/model/server.ts";
import { readPolicy } from "../domain/table/policy.ts";
import { readHttpCheck, readHttpchk } from "./check-lines.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Treatment } from "./keywords.ts";
import type { Directive } from "./sections.ts";
import { defaultServerParams, readDefaultServer, readServer, type ServerParams } from "./server-line.ts";
import { parseTimeMs } from "./time.ts";
import { ConfigError } from "./words.ts";

export type ImportedServer = { readonly line: number; readonly spec: ServerSpec; readonly admin: AdminState };

type DirectiveReader = (directive: Directive) => void;

export class BackendLines {
  readonly #diagnostics: Diagnostics;
  readonly #checks: Directive[] = [];
  readonly #serverLines: { readonly directive: Directive; readonly server: ReturnType<typeof readServer> }[] =
    [];
  #defaults = defaultServerParams;
  #http: HttpCheck | null = null;
  #policy: string | null = null;
  #sticky: string | null = null;
  #queueMs: number | null = null;
  #checkMs: number | null = null;
  #connectMs: number | null = null;
  #slowStartMs = 0;
  #allBackups = false;

  readonly #readers = new Map<string, DirectiveReader>([
    ["server", (directive) => this.#readServer(directive)],
    ["default-server", (directive) => this.#readDefaultServer(directive)],
    ["balance", (directive) => this.#readBalance(directive)],
    ["cookie", (directive) => this.#readCookie(directive)],
    ["stats", (directive) => this.#diagnostics.add(directive, "as is", statsNote)],
    ["timeout", (directive) => this.#readTimeout(directive)],
    ["http-check", (directive) => this.#readHttpCheck(directive)],
  ]);
  readonly #optionReaders = new Map<string, DirectiveReader>([
    ["httpchk", (directive) => this.#setCheck(directive, readHttpchk(directive, this.#http))],
    ["tcp-check", (directive) => this.#setCheck(directive, null)],
    ["allbackups", (directive) => this.#setAllBackups(directive, true)],
  ]);
  readonly #negatedOptionReaders = new Map<string, DirectiveReader>([
    ["httpchk", () => this.#disableHttpCheck()],
    ["allbackups", (directive) => this.#setAllBackups(directive, false)],
  ]);

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** The keywords that begin these lines. */
  get keywords(): readonly string[] {
    return [...this.#readers.keys(), "option"];
  }

  /** Reads a line; false if its keyword is not one of these. */
  tryRead(directive: Directive): boolean {
    const read = this.#readerOf(directive);
    read?.(directive);
    return read !== undefined;
  }

  #readerOf({ words: [first = "", second = "", third = ""] }: Directive): DirectiveReader | undefined {
    if (first === "option") return this.#optionReaders.get(second);
    if (first === "no" && second === "option") return this.#negatedOptionReaders.get(third);
    return this.#readers.get(first);
  }

  /** The servers with the checks of the backend. */
  servers(): readonly ImportedServer[] {
    for (const directive of this.#checks) this.#diagnostics.add(directive, "taken");
    this.#applySlowStart(this.#serverLines.map(({ server }) => server));
    return this.#serverLines.map(({ directive, server }) => {
      const { name, host, port, spec, admin, isChecked, check } = server;
      // A check at another port uses TLS only with `check-ssl`.
      const tls = check.tls ?? (check.port == null && spec.tls);
      const checkSpec = { ...check, tls, http: this.#http, ...this.#timeouts(check.interMs) };
      return {
        line: directive.line,
        admin,
        spec: { ...spec, name, host, port, check: isChecked ? withCheckDefaults(checkSpec, spec) : null },
      };
    });
  }

  #readServer(directive: Directive): void {
    const server = readServer(directive, this.#defaults, this.#diagnostics);
    if (this.#serverLines.some((other) => other.server.name === server.name)) {
      throw new ConfigError(directive.line, `server ${server.name} is already defined above`);
    }
    this.#serverLines.push({ directive, server });
    this.#diagnostics.add(directive, "taken", server.isChecked ? "" : "not checked");
  }

  #readDefaultServer(directive: Directive): void {
    this.#defaults = readDefaultServer(directive, this.#defaults, this.#diagnostics);
    this.#diagnostics.add(directive, "taken");
  }

  #readHttpCheck(directive: Directive): void {
    const check = readHttpCheck(directive, this.#http ?? defaultHttpCheck, this.#diagnostics);
    if (check !== null) this.#setCheck(directive, check);
  }

  #setCheck(directive: Directive, http: HttpCheck | null): void {
    this.#http = http;
    this.#checks.push(directive);
  }

  #disableHttpCheck(): void {
    this.#http = null;
  }

  #setAllBackups(directive: Directive, isOn: boolean): void {
    this.#allBackups = isOn;
    this.#diagnostics.add(directive, "taken");
  }

  /** The labels of the service. */
  labels(): Readonly<Record<string, string>> {
    const backups = this.#serverLines.filter(({ server }) => server.spec.backup).length;
    const maxConn = this.#queueMs === null ? 0 : this.#maxConn();
    return {
      ...(this.#policy !== null && { "waggle.balance": this.#policy }),
      ...(this.#sticky !== null && { "waggle.sticky": this.#sticky }),
      ...(backups > 1 && { "waggle.allbackups": String(this.#allBackups) }),
      ...(this.#slowStartMs > 0 && { "waggle.slowstart": `${this.#slowStartMs}ms` }),
      ...(maxConn > 0 && { "waggle.maxconn": String(maxConn), "waggle.queue-timeout": `${this.#queueMs}ms` }),
    };
  }

  #applySlowStart(servers: readonly ServerParams[]): void {
    const valuesMs = [...new Set(servers.map(({ slowStartMs }) => slowStartMs))];
    this.#slowStartMs = Math.max(0, ...valuesMs);
    if (valuesMs.length < 2) return;
    for (const { directive } of this.#serverLines) {
      if (directive.words.includes("slowstart")) {
        this.#diagnostics.add(
          directive,
          "could not",
          `slowstart: all servers get the longest value, ${this.#slowStartMs} ms`,
        );
      }
    }
  }

  #maxConn(): number {
    return Math.max(0, ...this.#serverLines.map(({ server }) => server.spec.maxConn));
  }

  /** As in HAProxy: `timeout connect` or inter for the connection, then `timeout check` for the response. */
  #timeouts(interMs = 2_000): { readonly timeoutMs?: number } {
    if (this.#checkMs === null) return {};
    return { timeoutMs: Math.min(this.#connectMs ?? interMs, interMs) + this.#checkMs };
  }

  #readBalance(directive: Directive): void {
    const [, word = ""] = directive.words;
    const policy =
      word === "static-rr" ? "roundrobin" : word.startsWith("random") ? "random" : readPolicy(word);
    if (policy === null) {
      const note = `policy ${word} is not supported: requests are balanced round robin`;
      this.#diagnostics.add(directive, "could not", note);
      return;
    }
    this.#policy = policy === "roundrobin" ? null : policy;
    this.#diagnostics.add(directive, "taken");
    if (directive.words.length > 2)
      this.#diagnostics.add(directive, "could not", `${directive.words.slice(2).join(" ")} is ignored`);
  }

  #readCookie(directive: Directive): void {
    const [, name, ...params] = directive.words;
    if (name === undefined)
      throw new ConfigError(directive.line, 'cookie has no name: write "cookie NAME insert"');
    if (!params.includes("insert")) {
      this.#diagnostics.add(
        directive,
        "could not",
        "the mesh sets its own cookie: write `cookie NAME insert`",
      );
      return;
    }
    this.#sticky = name;
    this.#diagnostics.add(
      directive,
      "taken",
      "the mesh signs the value; cookie values of server lines are not used",
    );
  }

  #readTimeout(directive: Directive): void {
    const { line, words } = directive;
    const [, which = "", text] = words;
    const ms = parseTimeMs(text, `timeout ${which}`, line);
    if (which === "queue") this.#queueMs = ms;
    if (which === "check") this.#checkMs = ms;
    if (which === "connect") this.#connectMs = ms;
    const [outcome, note] = timeoutTreatments.get(which) ?? [];
    if (outcome === undefined) {
      throw new ConfigError(
        line,
        `unknown timeout ${which}: use one of ${[...timeoutTreatments.keys()].join(", ")}`,
      );
    }
    this.#diagnostics.add(directive, outcome, note);
  }
}

const statsNote = "the balancer has its own statistics page: docs/stats.md";

const timeoutTreatments: ReadonlyMap<string, Treatment> = new Map(
  Object.entries<Treatment>({
    connect: ["as is", "a slow request is sent to another server as well"],
    client: ["as is", "the edge manages client connections"],
    "client-fin": ["as is", "the edge manages client connections"],
    server: [
      "could not",
      "the variable HEAD_TIMEOUT_MS limits the time to the response head, by default to 30 s",
    ],
    "server-fin": ["as is", "the platform closes connections"],
    queue: ["taken", "for servers with maxconn"],
    check: ["taken", ""],
    "http-request": ["as is", "the edge reads the request head before the mesh does"],
    "http-keep-alive": ["as is", "the edge manages client connections"],
    tunnel: ["as is", "WebSockets have no timeout"],
    tarpit: ["could not", "the mesh does not delay clients"],
  }),
);
