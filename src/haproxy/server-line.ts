// `server` and `default-server` lines.

import type { AdminState, PartialCheckSpec, ServerSpec } from "../domain/model/server.ts";
import { serverDefaults } from "../domain/model/server.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { didYouMean, suggest } from "./suggest.ts";
import { parseTimeMs, parseWholeNumber } from "./time.ts";
import { ConfigError } from "./words.ts";

/** The parameters of a server, without the checks of the backend. */
export type ServerParams = {
  readonly spec: Omit<ServerSpec, "name" | "host" | "port" | "check">;
  readonly admin: AdminState;
  readonly isChecked: boolean;
  readonly check: PartialCheckSpec;
  readonly slowStartMs: number;
};

export const defaultServerParams: ServerParams = {
  spec: serverDefaults,
  admin: "ready",
  isChecked: false,
  check: {},
  slowStartMs: 0,
};

/** Reads `server NAME ADDRESS PARAMS…`. @throws ConfigError */
export function readServer(directive: Directive, defaults: ServerParams, diagnostics: Diagnostics) {
  const { line, words } = directive;
  const [, name, address, ...params] = words;
  if (name === undefined || address === undefined) {
    throw new ConfigError(line, 'a server needs a name and an address: write "server NAME HOST:PORT"');
  }
  return { name, ...addressOf(address, line), ...readParams(params, directive, defaults, diagnostics) };
}

/** Applies a `default-server` line to the defaults before it. @throws ConfigError */
export function readDefaultServer(
  directive: Directive,
  previous: ServerParams,
  diagnostics: Diagnostics,
): ServerParams {
  return readParams(directive.words.slice(1), directive, previous, diagnostics);
}

function addressOf(text: string, line: number): { readonly host: string; readonly port: number } {
  const isV6 = text.startsWith("ipv6@");
  const address = text.replace(/^ipv[46]@/, "");
  if (/^(unix|abns|abnsz|fd|sockpair|rhttp|uxst|uxdg)@|^\//.test(address)) {
    throw new ConfigError(line, `the address ${text} is not a network address: write HOST:PORT`);
  }
  const pattern = isV6 || colons(address) > 1 ? /^\[?([^\]]+?)\]?:(\d{1,5})$/ : /^([^:\s]+):(\d{1,5})$/;
  const [, host, port] = pattern.exec(address) ?? [];
  if (host === undefined || port === undefined) {
    throw new ConfigError(line, `the address "${text}" has no port: write HOST:PORT`);
  }
  return { host, port: Number(port) };
}

function colons(text: string): number {
  return text.split(":").length - 1;
}

type ParamInput = {
  /** The word after the parameter. */
  readonly next: string | undefined;
  readonly line: number;
  readonly current: ServerParams;
};
/** A parameter: the number of words it takes, and what it changes. */
type ParamReader = { readonly takes: 0 | 1; readonly change: (read: ParamInput) => Partial<ServerParams> };

const specParam = (takes: 0 | 1, of: (read: ParamInput) => Partial<ServerParams["spec"]>): ParamReader => ({
  takes,
  change: (read) => ({ spec: { ...read.current.spec, ...of(read) } }),
});
const checkParam = (takes: 0 | 1, of: (read: ParamInput) => PartialCheckSpec): ParamReader => ({
  takes,
  change: (read) => ({ check: { ...read.current.check, ...of(read) } }),
});
const timeParam = (name: string, of: (ms: number) => PartialCheckSpec) =>
  checkParam(1, ({ next, line }) => of(parseTimeMs(next, name, line)));
const countParam = (name: string, of: (n: number) => PartialCheckSpec) =>
  checkParam(1, ({ next, line }) => of(parseWholeNumber(next, name, line)));

const paramReaders: ReadonlyMap<string, ParamReader> = new Map(
  Object.entries<ParamReader>({
    check: { takes: 0, change: () => ({ isChecked: true }) },
    "no-check": { takes: 0, change: () => ({ isChecked: false }) },
    disabled: { takes: 0, change: () => ({ admin: "maint" }) },
    enabled: { takes: 0, change: () => ({ admin: "ready" }) },
    slowstart: {
      takes: 1,
      change: ({ next, line }) => ({ slowStartMs: parseTimeMs(next, "slowstart", line) }),
    },
    weight: specParam(1, ({ next, line }) => ({ weight: parseWholeNumber(next, "weight", line) })),
    maxconn: specParam(1, ({ next, line }) => ({ maxConn: parseWholeNumber(next, "maxconn", line) })),
    cookie: specParam(1, ({ next = null }) => ({ cookie: next })),
    backup: specParam(0, () => ({ backup: true })),
    "no-backup": specParam(0, () => ({ backup: false })),
    ssl: specParam(0, () => ({ tls: true })),
    "no-ssl": specParam(0, () => ({ tls: false })),
    "check-ssl": checkParam(0, () => ({ tls: true })),
    "no-check-ssl": checkParam(0, () => ({ tls: false })),
    inter: timeParam("inter", (interMs) => ({ interMs })),
    fastinter: timeParam("fastinter", (fastInterMs) => ({ fastInterMs })),
    downinter: timeParam("downinter", (downInterMs) => ({ downInterMs })),
    rise: countParam("rise", (rise) => ({ rise })),
    fall: countParam("fall", (fall) => ({ fall })),
    port: countParam("port", (port) => ({ port })),
  }),
);

/** A parameter without an effect in the mesh: the number of words it takes, and the reason. */
type IgnoredParam = readonly [takes: number, note: string];

const ignoredParams: ReadonlyMap<string, IgnoredParam> = new Map(
  Object.entries<IgnoredParam>({
    verify: [1, "certificates are always verified"],
    "ca-file": [1, "certificates are verified by the platform's authorities"],
    "crl-file": [1, "certificates are verified by the platform's authorities"],
    crt: [1, "the mesh has no client certificate"],
    sni: [1, "the server name indication is the server's host name"],
    "check-sni": [1, "the server name indication is the server's host name"],
    alpn: [1, "the platform chooses"],
    "check-alpn": [1, "the platform chooses"],
    proto: [1, "the platform chooses"],
    "check-proto": [1, "the platform chooses"],
    verifyhost: [1, "the server's host name is verified"],
    ciphers: [1, "the platform chooses"],
    ciphersuites: [1, "the platform chooses"],
    "ssl-min-ver": [1, "the platform chooses"],
    "ssl-max-ver": [1, "the platform chooses"],
    "no-sslv3": [0, "the platform chooses"],
    "send-proxy": [0, "servers get X-Forwarded-For, not the PROXY protocol"],
    "send-proxy-v2": [0, "servers get X-Forwarded-For, not the PROXY protocol"],
    "check-send-proxy": [0, "checks do not use the PROXY protocol"],
    addr: [1, "a server is checked at its own address; `port` sets another port"],
    "agent-check": [0, "the mesh has no agent checks"],
    "agent-port": [1, "the mesh has no agent checks"],
    "agent-inter": [1, "the mesh has no agent checks"],
    "agent-addr": [1, "the mesh has no agent checks"],
    "agent-send": [1, "the mesh has no agent checks"],
    track: [1, "each server is checked separately"],
    observe: [1, "the mesh ejects a failing server at once"],
    "error-limit": [1, "the mesh ejects a failing server at once"],
    "on-error": [1, "the mesh ejects a failing server at once"],
    "on-marked-down": [1, "open requests continue"],
    "on-marked-up": [1, "open requests continue"],
    maxqueue: [1, "waggle.queue bounds the queue of a service"],
    minconn: [1, "maxconn is fixed"],
    "pool-max-conn": [1, "the platform manages connections"],
    "pool-purge-delay": [1, "the platform manages connections"],
    "pool-low-conn": [1, "the platform manages connections"],
    "max-reuse": [1, "the platform manages connections"],
    resolvers: [1, "the platform resolves names"],
    "resolve-prefer": [1, "the platform resolves names"],
    "resolve-net": [1, "the platform resolves names"],
    "resolve-opts": [1, "the platform resolves names"],
    "init-addr": [1, "the platform resolves names"],
    "init-state": [1, "a new server is up, and its first failure takes it down"],
    id: [1, "the mesh assigns ids"],
    guid: [1, "the mesh assigns ids"],
    "log-proto": [1, "the mesh has no access log"],
    namespace: [1, "the mesh has no network namespaces"],
    non_stick: [0, "every server except a backup can be sticky"],
    redir: [1, "the mesh does not redirect"],
    shard: [1, "the mesh has no peers"],
    socks4: [1, "the mesh connects to servers directly"],
    source: [1, "requests come from the edge's addresses"],
    tfo: [0, "the platform chooses"],
    "tcp-ut": [1, "the platform chooses"],
    usesrc: [1, "requests come from the edge's addresses"],
    ws: [1, "WebSocket upgrades pass unchanged"],
  }),
);

function readParams(
  words: readonly string[],
  directive: Directive,
  defaults: ServerParams,
  diagnostics: Diagnostics,
): ServerParams {
  const { line } = directive;
  let current = defaults;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const param = paramReaders.get(word);
    const [takes, note] = ignoredParams.get(word) ?? [];
    if (param !== undefined) {
      const next = words[at + 1];
      if (param.takes === 1 && next === undefined)
        throw new ConfigError(line, `${word} needs a value after it`);
      current = { ...current, ...param.change({ next, line, current }) };
      at += param.takes;
    } else if (takes !== undefined) {
      diagnostics.add(directive, "could not", `${word}: ${note}`);
      at += takes;
    } else {
      const suggestion = suggest(word, [...paramReaders.keys(), ...ignoredParams.keys()]);
      throw new ConfigError(line, `unknown server parameter "${word}"${didYouMean(suggestion)}`);
    }
  }
  return current;
}
