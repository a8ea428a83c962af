// The lines of a backend about its servers, their checks and the balancing.

import { MeshError } from "../domain/model/error.ts";
import { maxDurationMs } from "../domain/model/measure.ts";
import type { AdminState, CheckSpec, ServerSpec } from "../domain/model/server.ts";
import { withCheckDefaults } from "../domain/model/server.ts";
import { maxRetries } from "../domain/table/attempt-options.ts";
import { readPolicy } from "../domain/table/policy.ts";
import { isServerName, minCheckIntervalMs, validateServer } from "../domain/validate/server.ts";
import { readHttpCheck } from "./check-lines.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { checkOptions } from "./effective-lines.ts";
import type { Directive } from "./sections.ts";
import {
  defaultServerParams,
  proxyProtocolNote,
  readDefaultServer,
  readServerParams,
  type ServerParams,
  serverAddress,
} from "./server-line.ts";
import { trimmed } from "./service-names.ts";
import type { ProxyMode } from "./tcp-mode.ts";
import { parseNumber, parseTimeMs } from "./time.ts";
import { treatmentOf } from "./treatments.ts";

export type ImportedServer = { readonly line: number; readonly spec: ServerSpec; readonly admin: AdminState };

/** The servers and labels of a service. */
export type ImportedBackend = {
  readonly servers: readonly ImportedServer[];
  readonly labels: Readonly<Record<string, string>>;
};

type ServerLine = {
  readonly directive: Directive;
  readonly host: string;
  readonly port: number;
  readonly params: ServerParams;
};

/** Reads the lines that have an effect in a backend. */
export function readBackend(
  lines: readonly Directive[],
  mode: ProxyMode,
  diagnostics: Diagnostics,
): ImportedBackend {
  return new BackendReader(lines, mode, diagnostics).read();
}

/** `maxDurationMs` in a label. */
const maxLabelText = "24h";
/** A limit that no server reaches, for servers without maxconn. */
const unlimitedConn = 1_000_000;

class BackendReader {
  readonly #lines: readonly Directive[];
  readonly #mode: ProxyMode;
  readonly #diagnostics: Diagnostics;
  readonly #labels = new Map<string, string>();
  #serverDefaults = defaultServerParams;

  constructor(lines: readonly Directive[], mode: ProxyMode, diagnostics: Diagnostics) {
    this.#lines = lines;
    this.#mode = mode;
    this.#diagnostics = diagnostics;
  }

  read(): ImportedBackend {
    const serverLines = this.#readServerLines();
    const servers = this.#toServers(serverLines);
    const imported = serverLines.filter(({ directive }) =>
      servers.some(({ line }) => line === directive.line),
    );
    const isTcp = this.#mode === "tcp";
    if (isTcp) this.#labels.set("waggle.mode", "tcp");
    this.#readBalance();
    this.#readSendProxy(imported);
    if (!isTcp) this.#readCookie(imported);
    this.#readAllBackups(imported);
    this.#readSlowStart(imported);
    this.#readQueue(imported);
    if (!isTcp) this.#readResponseTime();
    if (isTcp) this.#readConnectRetries();
    else this.#readRetries();
    return { servers, labels: Object.fromEntries(this.#labels) };
  }

  /** The last line with these first words. */
  #find(...words: readonly string[]): Directive | undefined {
    return this.#lines.findLast((directive) => words.every((word, at) => directive.words[at] === word));
  }

  #readServerLines(): readonly ServerLine[] {
    const serverLines: ServerLine[] = [];
    const changing: Directive[] = [];
    for (const directive of this.#lines) {
      const [head] = directive.words;
      if (head === "default-server") {
        const next = readDefaultServer(directive, this.#serverDefaults, this.#diagnostics);
        if (JSON.stringify(next) !== JSON.stringify(this.#serverDefaults)) changing.push(directive);
        this.#serverDefaults = next;
      } else if (head === "server") {
        const address = serverAddress(directive);
        if ("why" in address)
          this.#diagnostics.add(directive, "could not", withUnset(address.why, directive));
        else {
          const params = readServerParams(directive, this.#serverDefaults, this.#diagnostics);
          serverLines.push({ directive, ...address, params });
        }
      }
    }
    for (const directive of changing) this.#diagnostics.add(directive, "taken");
    return serverLines;
  }

  #toServers(serverLines: readonly ServerLine[]): readonly ImportedServer[] {
    const isAnyChecked = serverLines.some(({ params }) => params.isChecked);
    const http = this.#readCheck(isAnyChecked);
    const timeoutMs = this.#readCheckTimeout(isAnyChecked);
    const names = serverNames(serverLines.map(({ directive }) => directive.words[1] ?? ""));
    return serverLines.flatMap(({ directive, host, port, params }, index) => {
      const name = names[index] ?? "";
      const { spec, admin, isChecked, check } = params;
      // A check at another port uses TLS only with `check-ssl`.
      const tls = check.tls ?? (check.port == null && spec.tls);
      const checkSpec = { ...check, tls, http, ...timeoutMs(check.interMs) };
      const server = {
        ...{ ...spec, name, host, port },
        check: isChecked ? withCheckDefaults(checkSpec, spec) : null,
      };
      const valid = this.#withinLimits(directive, server);
      if (valid === null) return [];
      const notes = [
        ...(name === directive.words[1] ? [] : [`as server ${name}`]),
        ...(isChecked ? [] : ["not checked"]),
      ];
      this.#diagnostics.add(directive, "taken", notes.join("; "));
      return [{ line: directive.line, admin, spec: valid }];
    });
  }

  /** The server with values that the mesh can have; null if it cannot have the server. */
  #withinLimits(directive: Directive, spec: ServerSpec): ServerSpec | null {
    const check = spec.check === null ? null : atLeastMinimum(spec.check);
    if (check !== null && check.interMs !== spec.check?.interMs)
      this.#diagnostics.add(
        directive,
        "could not",
        `inter: the shortest interval is ${minCheckIntervalMs} ms`,
      );
    const candidates: readonly (readonly [ServerSpec, why: string])[] = [
      [{ ...spec, check }, ""],
      [{ ...spec, check, cookie: null }, `cookie: "${spec.cookie}" cannot be the value of a cookie`],
    ];
    let reason = "";
    for (const [candidate, why] of candidates) {
      try {
        validateServer(candidate);
        if (why !== "") this.#diagnostics.add(directive, "could not", why);
        return candidate;
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        reason ||= error.message;
      }
    }
    this.#diagnostics.add(directive, "could not", reason);
    return null;
  }

  /** The HTTP check, if the checks of this backend are HTTP. */
  #readCheck(isAnyChecked: boolean) {
    const option = this.#lines.findLast(
      ({ words }) => words[0] === "option" && checkOptions.has(words[1] ?? ""),
    );
    const rules = this.#lines.filter(({ words }) => words[0] === "http-check");
    const isHttp = option?.words[1] === "httpchk";
    const about = isHttp ? [option, ...rules] : rules;
    if (!isAnyChecked || !isHttp) {
      const note = isHttp ? "no server is checked" : "HAProxy ignores it without `option httpchk`";
      for (const directive of about) this.#diagnostics.add(directive, "as is", note);
    }
    if (option !== undefined && !isHttp) this.#readOtherCheck(option, isAnyChecked);
    return isHttp && isAnyChecked ? readHttpCheck([option, ...rules], this.#diagnostics) : null;
  }

  #readOtherCheck(option: Directive, isAnyChecked: boolean): void {
    const rules = this.#lines.filter(({ words }) => words[0] === "tcp-check");
    if (option.words[1] !== "tcp-check" || (rules.length > 0 && isAnyChecked)) return;
    this.#diagnostics.add(
      option,
      "as is",
      isAnyChecked ? "a check opens a connection" : "no server is checked",
    );
  }

  /** As in HAProxy: `timeout connect` or inter for the connection, then `timeout check` for the response. */
  #readCheckTimeout(isAnyChecked: boolean): (interMs?: number) => { readonly timeoutMs?: number } {
    const line = this.#find("timeout", "check");
    if (line === undefined) return () => ({});
    this.#diagnostics.add(line, isAnyChecked ? "taken" : "as is", isAnyChecked ? "" : "no server is checked");
    const checkMs = parseTimeMs(line.words[2] ?? "");
    const connect = this.#find("timeout", "connect")?.words[2];
    return (interMs = 2_000) => {
      const connectMs = connect === undefined ? interMs : Math.min(parseTimeMs(connect), interMs);
      return { timeoutMs: Math.min(connectMs + checkMs, maxDurationMs) };
    };
  }

  #readBalance(): void {
    const line = this.#find("balance");
    if (line === undefined) return;
    const [, word = "roundrobin", ...rest] = line.words;
    const policy =
      word === "static-rr" ? "roundrobin" : word.startsWith("random") ? "random" : readPolicy(word);
    if (this.#mode === "tcp" && policy !== null && /^(uri|hdr|cookie)/.test(policy)) {
      this.#diagnostics.add(line, "as is", "HAProxy falls back to round robin in mode tcp");
      return;
    }
    if (policy === null) {
      const note = `policy ${word} is not supported: requests are balanced round robin`;
      this.#diagnostics.add(line, "could not", note);
      return;
    }
    if (policy !== "roundrobin") this.#labels.set("waggle.balance", policy);
    this.#diagnostics.add(line, "taken");
    if (word === "uri" || word.startsWith("hdr(")) this.#reportHashedPart(line, word, rest);
    if (word.startsWith("random(") && word !== "random(2)")
      this.#diagnostics.add(line, "could not", `${word}: two targets are drawn`);
  }

  /** Words after the policy change what is hashed. HAProxy ignores them after other policies. */
  #reportHashedPart(line: Directive, word: string, rest: readonly string[]): void {
    const kept = rest.filter((other) => other !== "path-only");
    if (kept.length === 0) return;
    const what =
      word === "uri" ? "the whole path is hashed, without the query" : "the whole header is hashed";
    this.#diagnostics.add(line, "could not", `${kept.join(" ")}: ${what}`);
  }

  /** All servers of a service get the same header. */
  #readSendProxy(servers: readonly ServerLine[]): void {
    const versions = [...new Set(servers.map(({ params }) => params.sendProxy))];
    const [version = null] = versions;
    const isTaken = this.#mode === "tcp" && versions.length === 1;
    if (isTaken && version !== null) this.#labels.set("waggle.send-proxy", version);
    if (isTaken) return;
    const note = this.#mode === "tcp" ? "only some servers get this header" : proxyProtocolNote;
    for (const { directive, params } of servers) {
      const word = params.sendProxy === "v1" ? "send-proxy" : "send-proxy-v2";
      if (params.sendProxy !== null) this.#diagnostics.add(directive, "could not", `${word}: ${note}`);
    }
  }

  #readCookie(servers: readonly ServerLine[]): void {
    const line = this.#find("cookie");
    if (line === undefined) return;
    const [, name = "", ...params] = line.words;
    if (!params.includes("insert")) {
      this.#diagnostics.add(line, "could not", "the mesh sets its own cookie: write `cookie NAME insert`");
      return;
    }
    const isDynamic = params.includes("dynamic") && this.#find("dynamic-cookie-key") !== undefined;
    const without = servers.filter(({ params: { spec } }) => spec.cookie === null && !isDynamic);
    if (without.length === servers.length) {
      const note = "it cannot have an effect: no server has a cookie value";
      this.#diagnostics.add(line, "as is", note);
      return;
    }
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      this.#diagnostics.add(line, "could not", `"${name}" cannot be the name of a cookie`);
      return;
    }
    this.#labels.set("waggle.sticky", name);
    const signed = "the mesh signs the value; cookie values of server lines are not used";
    this.#diagnostics.add(line, "taken", signed);
    if (without.length > 0) {
      const names = without.map(({ directive }) => directive.words[1]).join(", ");
      this.#diagnostics.add(line, "could not", `clients stay with ${names} as well, without a cookie value`);
    }
    for (let at = 0; at < params.length; at += 1) {
      const param = params[at] ?? "";
      const [takes, note] = cookieParams[param] ?? [0, ""];
      if (note !== "") this.#diagnostics.add(line, "could not", `${param}: ${note}`);
      at += takes;
    }
  }

  #readAllBackups(servers: readonly ServerLine[]): void {
    const line = this.#lines.findLast(({ words }) => words[0] === "option" && words[1] === "allbackups");
    const backups = servers.filter(({ params }) => params.spec.backup).length;
    if (backups > 1) this.#labels.set("waggle.allbackups", String(line !== undefined));
    if (line === undefined) return;
    if (backups > 1) this.#diagnostics.add(line, "taken");
    else this.#diagnostics.add(line, "as is", "there are not several backup servers");
  }

  #readSlowStart(servers: readonly ServerLine[]): void {
    const valuesMs = [...new Set(servers.map(({ params }) => params.slowStartMs))];
    const longestMs = Math.min(Math.max(0, ...valuesMs), maxDurationMs);
    if (longestMs > 0) this.#labels.set("waggle.slowstart", `${longestMs}ms`);
    if (valuesMs.length < 2) return;
    for (const { directive } of servers) {
      if (!directive.words.includes("slowstart")) continue;
      const note = `slowstart: all servers get the longest value, ${longestMs} ms`;
      this.#diagnostics.add(directive, "could not", note);
    }
  }

  /** As in HAProxy, any number of requests waits for a server below its maxconn. */
  #readQueue(servers: readonly ServerLine[]): void {
    const line = this.#find("timeout", "queue");
    const limits = servers.map(({ params }) => params.spec.maxConn);
    if (limits.every((limit) => limit === 0)) {
      if (line !== undefined) this.#diagnostics.add(line, "as is", "no server has maxconn");
      return;
    }
    const limit = limits.includes(0) ? unlimitedConn : Math.max(...limits);
    // Without it, `timeout connect` applies; without both, a request waits for any time.
    const text = (line ?? this.#find("timeout", "connect"))?.words[2] ?? "0";
    this.#labels.set("waggle.maxconn", String(limit));
    this.#labels.set("waggle.queue", "unlimited");
    this.#labels.set("waggle.queue-timeout", durationLabel(parseTimeMs(text)));
    if (line !== undefined) this.#diagnostics.add(line, "taken", "for servers with maxconn");
  }

  #readResponseTime(): void {
    const line = this.#find("timeout", "server");
    if (line === undefined) return;
    const ms = parseTimeMs(line.words[2] ?? "");
    this.#labels.set("waggle.head-timeout", durationLabel(ms));
    const note = ms === 0 || ms > maxDurationMs ? "a day at most" : "nothing ends a response that has begun";
    this.#diagnostics.add(line, "taken", `until the response begins; ${note}`);
  }

  /** HAProxy tries a connection again `retries` times, at another server with `option redispatch`. */
  #readConnectRetries(): void {
    const line = this.#find("retries");
    if (line === undefined) return;
    const isOnce = parseNumber(line.words[1] ?? "") <= 0;
    const note = "a connection that a server refuses is tried at each other server once";
    this.#diagnostics.add(line, isOnce ? "could not" : "as is", note);
  }

  /** HAProxy sends a request to one server at a time. */
  #readRetries(): void {
    this.#labels.set("waggle.hedge", "false");
    const line = this.#find("retries");
    if (line === undefined) return;
    const retries = Math.max(0, parseNumber(line.words[1] ?? ""));
    this.#labels.set("waggle.retries", String(Math.min(retries, maxRetries)));
    const note = retries === 0 ? "each request is sent once" : "each retry goes to another server";
    this.#diagnostics.add(line, "taken", note);
    if (retries > maxRetries)
      this.#diagnostics.add(
        line,
        "could not",
        `${retries}: a request is sent again ${maxRetries} times at most`,
      );
  }
}

/** The outcome of the lines of a backend that are not about servers, checks and balancing. */
export function reportOtherLines(lines: readonly Directive[], diagnostics: Diagnostics): void {
  for (const directive of lines) {
    if (!diagnostics.has(directive)) diagnostics.add(directive, ...treatmentOf(directive));
  }
}

/** Parameters of `cookie` that the mesh's own cookie does not have: the number of values, and the reason. */
const cookieParams: Readonly<Record<string, readonly [takes: number, note: string]>> = {
  attr: [1, "the mesh's cookie has no other attributes"],
  domain: [1, "the cookie belongs to the host name of the request"],
  maxidle: [1, "the cookie ends with the browser's session"],
  maxlife: [1, "the cookie ends with the browser's session"],
  postonly: [0, "the cookie is set in response to any request"],
  preserve: [0, "a cookie of the server passes beside the mesh's own"],
};

function atLeastMinimum(check: CheckSpec): CheckSpec {
  const { interMs, fastInterMs, downInterMs } = check;
  return {
    ...check,
    interMs: Math.max(interMs, minCheckIntervalMs),
    fastInterMs: Math.max(fastInterMs, minCheckIntervalMs),
    downInterMs: Math.max(downInterMs, minCheckIntervalMs),
  };
}

/** A time of zero means any time. */
function durationLabel(ms: number): string {
  return ms === 0 || ms > maxDurationMs ? maxLabelText : `${ms}ms`;
}

function withUnset(why: string, { unset }: Directive): string {
  return unset.length === 0 ? why : `${why} (not set: ${unset.join(", ")})`;
}

/** Names that servers of the mesh can have, in the same order, each once. */
function serverNames(names: readonly string[]): readonly string[] {
  const taken = new Set(names.filter(isServerName));
  return names.map((name) => {
    if (isServerName(name)) return name;
    const plain = trimmed(name).slice(0, 60) || "server";
    for (let number = 1; ; number += 1) {
      const candidate = number === 1 ? plain : `${plain}-${number}`;
      if (taken.has(candidate)) continue;
      taken.add(candidate);
      return candidate;
    }
  });
}
