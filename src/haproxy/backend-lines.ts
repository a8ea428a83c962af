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
import type { Diagnostics, LineOutcome } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { defaultServerParams, readDefaultServer, readServer, type ServerParams } from "./server-line.ts";
import { parseTimeMs } from "./time.ts";
import { ConfigError } from "./words.ts";

export type ImportedServer = { readonly line: number; readonly spec: ServerSpec; readonly admin: AdminState };

export class BackendLines {
  static readonly keywords = [
    "balance",
    "server",
    "default-server",
    "cookie",
    "http-check",
    "timeout",
    "stats",
    "option",
  ];
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

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** Reads a line; false if its keyword is not one of these. */
  tryRead(directive: Directive): boolean {
    const [head, second] = directive.words;
    if (head === "server") this.#readServer(directive);
    else if (head === "default-server") {
      this.#defaults = readDefaultServer(directive, this.#defaults, this.#diagnostics);
      this.#diagnostics.add(directive, "taken");
    } else if (head === "balance") this.#readBalance(directive);
    else if (head === "cookie") this.#readCookie(directive);
    else if (head === "stats")
      this.#diagnostics.add(directive, "as is", "the balancer has its own statistics page: docs/stats.md");
    else if (head === "timeout") this.#readTimeout(directive);
    else if (head === "http-check") {
      this.#http = readHttpCheck(directive, this.#http ?? defaultHttpCheck, this.#diagnostics);
      this.#checks.push(directive);
    } else if (head === "option" && second === "httpchk") {
      this.#http = readHttpchk(directive, this.#http);
      this.#checks.push(directive);
    } else if (head === "option" && second === "tcp-check") {
      this.#http = null;
      this.#checks.push(directive);
    } else if (head === "option" && second === "allbackups") {
      this.#allBackups = true;
      this.#diagnostics.add(directive, "taken");
    } else if (head === "no" && second === "option" && directive.words[2] === "httpchk") this.#http = null;
    else if (head === "no" && second === "option" && directive.words[2] === "allbackups") {
      this.#allBackups = false;
      this.#diagnostics.add(directive, "taken");
    } else return false;
    return true;
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
    const [outcome, note] = timeoutTreatments[which] ?? [];
    if (outcome === undefined) {
      throw new ConfigError(
        line,
        `unknown timeout ${which}: use one of ${Object.keys(timeoutTreatments).join(", ")}`,
      );
    }
    this.#diagnostics.add(directive, outcome, note);
  }
}

const timeoutTreatments: Readonly<Record<string, readonly [LineOutcome, string]>> = {
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
  tunnel: ["as is", "WebSockets have no time-out"],
  tarpit: ["could not", "the mesh does not delay clients"],
};
