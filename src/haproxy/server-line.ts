// A `server` line, and the `default-server` lines before it.

import type { AdminState, PartialCheckSpec, ServerSpec } from "../domain/model/server.ts";
import { serverDefaults } from "../domain/model/server.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { suggest } from "./suggest.ts";
import { parseTimeMs, parseWholeNumber } from "./time.ts";
import { ConfigError } from "./words.ts";

/** What server lines say, before the backend's checks are known. */
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

/** `server NAME ADDRESS PARAMS…`: where it is, and what is said of it. @throws ConfigError */
export function readServer(directive: Directive, defaults: ServerParams, remarks: Diagnostics) {
  const { line, words } = directive;
  const [, name, address, ...params] = words;
  if (name === undefined || address === undefined) {
    throw new ConfigError(line, 'a server has a name and an address: write "server NAME HOST:PORT"');
  }
  const said = readParams({ line, words: params }, defaults, remarks, directive);
  return { name, ...addressOf(address, line), ...said };
}

/** The words of a `default-server` line, over those before it. @throws ConfigError */
export function readDefaultServer(
  directive: Directive,
  before: ServerParams,
  remarks: Diagnostics,
): ServerParams {
  return readParams({ ...directive, words: directive.words.slice(1) }, before, remarks, directive);
}

function addressOf(text: string, line: number): { readonly host: string; readonly port: number } {
  const isV6 = text.startsWith("ipv6@");
  const rest = text.replace(/^ipv[46]@/, "");
  if (/^(unix|abns|abnsz|fd|sockpair|rhttp|uxst|uxdg)@|^\//.test(rest)) {
    throw new ConfigError(line, `the address ${text} is none of the network: write HOST:PORT`);
  }
  const shape = isV6 || colons(rest) > 1 ? /^\[?([^\]]+?)\]?:(\d{1,5})$/ : /^([^:\s]+):(\d{1,5})$/;
  const [, host, port] = shape.exec(rest) ?? [];
  if (host === undefined || port === undefined) {
    throw new ConfigError(line, `the address "${text}" has no port of its own: write HOST:PORT`);
  }
  return { host, port: Number(port) };
}

function colons(text: string): number {
  return text.split(":").length - 1;
}

type ParamInput = {
  readonly next: string | undefined;
  readonly line: number;
  readonly current: ServerParams;
};
/** A parameter: how many words it takes with it, and what it changes. */
type ParamReader = { readonly takes: 0 | 1; readonly change: (read: ParamInput) => Partial<ServerParams> };

const specParam = (takes: 0 | 1, of: (read: ParamInput) => Partial<ServerParams["spec"]>): ParamReader => ({
  takes,
  change: (read) => ({ spec: { ...read.current.spec, ...of(read) } }),
});
const checkParam = (takes: 0 | 1, of: (read: ParamInput) => PartialCheckSpec): ParamReader => ({
  takes,
  change: (read) => ({ check: { ...read.current.check, ...of(read) } }),
});
const timeParam = (what: string, of: (ms: number) => PartialCheckSpec) =>
  checkParam(1, ({ next, line }) => of(parseTimeMs(next, what, line)));
const countParam = (what: string, of: (n: number) => PartialCheckSpec) =>
  checkParam(1, ({ next, line }) => of(parseWholeNumber(next, what, line)));

const paramReaders: Readonly<Record<string, ParamReader>> = {
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
};

/** Parameters that are known and do nothing here: how many words each takes, and why. */
const ignoredParams: Readonly<Record<string, readonly [takes: number, note: string]>> = {
  verify: [1, "certificates are always verified"],
  "ca-file": [1, "certificates are verified by the platform's own authorities"],
  "crl-file": [1, "certificates are verified by the platform's own authorities"],
  crt: [1, "the mesh shows no certificate of its own"],
  sni: [1, "the server's own name is asked for"],
  "check-sni": [1, "the server's own name is asked for"],
  alpn: [1, "the platform chooses"],
  "check-alpn": [1, "the platform chooses"],
  proto: [1, "the platform chooses"],
  "check-proto": [1, "the platform chooses"],
  verifyhost: [1, "the server's own name is verified"],
  ciphers: [1, "the platform chooses"],
  ciphersuites: [1, "the platform chooses"],
  "ssl-min-ver": [1, "the platform chooses"],
  "ssl-max-ver": [1, "the platform chooses"],
  "no-sslv3": [0, "the platform chooses"],
  "send-proxy": [0, "servers get X-Forwarded-For, not the PROXY protocol"],
  "send-proxy-v2": [0, "servers get X-Forwarded-For, not the PROXY protocol"],
  "check-send-proxy": [0, "checks speak no PROXY protocol"],
  addr: [1, "a server is checked at its own address; `port` may be another"],
  "agent-check": [0, "there is no agent check"],
  "agent-port": [1, "there is no agent check"],
  "agent-inter": [1, "there is no agent check"],
  "agent-addr": [1, "there is no agent check"],
  "agent-send": [1, "there is no agent check"],
  track: [1, "each server is checked by itself"],
  observe: [1, "servers that fail under way are passed over at once, whatever this says"],
  "error-limit": [1, "servers that fail under way are passed over at once, whatever this says"],
  "on-error": [1, "servers that fail under way are passed over at once, whatever this says"],
  "on-marked-down": [1, "requests under way go on"],
  "on-marked-up": [1, "requests under way go on"],
  maxqueue: [1, "waggle.queue bounds the queue of a service"],
  minconn: [1, "maxconn does not move"],
  "pool-max-conn": [1, "the platform keeps connections"],
  "pool-purge-delay": [1, "the platform keeps connections"],
  "pool-low-conn": [1, "the platform keeps connections"],
  "max-reuse": [1, "the platform keeps connections"],
  resolvers: [1, "names are resolved by the platform"],
  "resolve-prefer": [1, "names are resolved by the platform"],
  "resolve-net": [1, "names are resolved by the platform"],
  "resolve-opts": [1, "names are resolved by the platform"],
  "init-addr": [1, "names are resolved by the platform"],
  "init-state": [1, "a new server is up, and its first failure downs it"],
  id: [1, "the mesh gives ids"],
  guid: [1, "the mesh gives ids"],
  "log-proto": [1, "the mesh keeps no access log"],
  namespace: [1, "the mesh has none"],
  non_stick: [0, "every server but a backup may be stuck to"],
  redir: [1, "the mesh does not redirect"],
  shard: [1, "the mesh has no peers"],
  socks4: [1, "the mesh speaks to servers directly"],
  source: [1, "requests come from the edge's addresses"],
  tfo: [0, "the platform chooses"],
  "tcp-ut": [1, "the platform chooses"],
  usesrc: [1, "requests come from the edge's addresses"],
  ws: [1, "WebSockets are carried as they come"],
};

function readParams(
  { line, words }: Directive,
  defaults: ServerParams,
  remarks: Diagnostics,
  whole: Directive,
): ServerParams {
  let said = defaults;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const param = paramReaders[word];
    const [takes, note] = ignoredParams[word] ?? [];
    if (param !== undefined) {
      const next = words[at + 1];
      if (param.takes === 1 && next === undefined)
        throw new ConfigError(line, `${word} wants a value after it`);
      said = { ...said, ...param.change({ next, line, current: said }) };
      at += param.takes;
    } else if (takes !== undefined) {
      remarks.add(whole, "could not", `${word}: ${note}`);
      at += takes;
    } else {
      const meant = suggest(word, [...Object.keys(paramReaders), ...Object.keys(ignoredParams)]);
      throw new ConfigError(line, `a server has no "${word}"${meant === null ? "" : `: is ${meant} meant?`}`);
    }
  }
  return said;
}
