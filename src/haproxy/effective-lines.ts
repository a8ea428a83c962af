// Which lines of a proxy HAProxy uses: those of its defaults and its own, without those that a later line
// replaces and those about the half that it does not have.

import { type ConfigSection, type Directive, isProxyKind } from "./sections.ts";

/** A line without effect, and why. */
type UnusedLine = { readonly directive: Directive; readonly note: string };

export type EffectiveLines = {
  readonly used: readonly Directive[];
  /** The unused ones of the section itself. */
  readonly unused: readonly UnusedLine[];
};

export function effectiveLines(section: ConfigSection): EffectiveLines {
  const { kind, defaults, directives } = section;
  const half = kind === "frontend" || kind === "backend" ? kind : null;
  const unused: UnusedLine[] = [];
  const isOwn = new Set(directives);
  const inHalf = [...inheritedLines(defaults, directives), ...directives].filter((directive) => {
    const other = otherHalf(directive);
    if (half === null || other !== half) return true;
    if (isOwn.has(directive))
      unused.push({ directive, note: `it cannot have an effect in a ${kind}: HAProxy ignores it` });
    return false;
  });
  const last = new Map(inHalf.map((directive) => [settingOf(directive), directive]));
  const used = inHalf.filter((directive) => {
    const setting = settingOf(directive);
    const winner = setting === null ? directive : last.get(setting);
    const isReplaced = winner !== directive || isLogRemoved(directive, inHalf);
    if (isReplaced && isOwn.has(directive)) {
      const by = winner === directive ? "a later line" : `line ${winner?.line}`;
      unused.push({ directive, note: `${by} replaces it` });
    }
    return !isReplaced;
  });
  return { used, unused };
}

/** A proxy with `http-check` or `tcp-check` rules of its own does not get those of its defaults. */
function inheritedLines(defaults: readonly Directive[], own: readonly Directive[]): readonly Directive[] {
  const ownRules = new Set(own.filter(isCheckRule).map(({ words }) => words[0]));
  return defaults.filter((directive) => !(isCheckRule(directive) && ownRules.has(directive.words[0])));
}

function isCheckRule({ words: [head, verb] }: Directive): boolean {
  return (
    (head === "http-check" || head === "tcp-check") && verb !== "disable-on-404" && verb !== "send-state"
  );
}

/** `no log` takes back the log lines before it. */
function isLogRemoved(directive: Directive, lines: readonly Directive[]): boolean {
  if (directive.words[0] !== "log") return false;
  const isAfter = lines.indexOf(directive);
  return lines.findLastIndex(({ words }) => words[0] === "no" && words[1] === "log") > isAfter;
}

const singleKeywords: ReadonlySet<string> = new Set([
  ...["backlog", "balance", "cookie", "default_backend", "fullconn", "hash-balance-factor", "hash-type"],
  ...["http-reuse", "http-send-name-header", "load-server-state-from-file", "log-format", "log-format-sd"],
  ...["log-tag", "max-keep-alive-queue", "max-session-srv-conns", "maxconn", "mode", "monitor-uri"],
  ...["persist", "rate-limit", "retries", "retry-on", "source", "unique-id-format", "unique-id-header"],
]);
const connectionModes: ReadonlySet<string> = new Set(["http-keep-alive", "http-server-close", "httpclose"]);
export const checkOptions: ReadonlySet<string> = new Set([
  ...["httpchk", "tcp-check", "ssl-hello-chk", "smtpchk", "ldap-check", "mysql-check", "pgsql-check"],
  ...["redis-check", "spop-check", "external-check"],
]);

/** The setting that a line sets, of which the last one applies; null if lines add up. */
function settingOf({ words }: Directive): string | null {
  const [first = "", second = "", third = ""] = words;
  if (first === "disabled" || first === "enabled") return "enabled";
  if (first === "timeout") return `timeout ${second}`;
  const option = first === "option" ? second : second === "option" ? third : null;
  if (option !== null) {
    if (checkOptions.has(option)) return "check";
    return connectionModes.has(option) ? "connection mode" : `option ${option}`;
  }
  return singleKeywords.has(first) ? first : null;
}

/** True if the line is about the frontend half of a proxy, which a backend does not have. */
const frontendLines: ReadonlySet<string> = new Set([
  ...["backlog", "bind", "capture", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "default_backend"],
  ...["error-log-format", "log-format", "log-format-sd", "maxconn", "monitor", "monitor-uri", "rate-limit"],
  ...["timeout client", "timeout client-fin", "use_backend", "unique-id-format", "unique-id-header"],
  ...["accept-invalid-http-request", "clitcpka", "contstats", "disable-h2-upgrade", "dontlog-normal"],
  ...["dontlognull", "h1-case-adjust-bogus-client", "http-ignore-probes", "http-use-proxy-header"],
  ...["idle-close-on-response", "log-separate-errors", "logasap", "socket-stats", "tcp-smart-accept"],
  ...["httplog", "tcplog", "httpslog"],
]);
const backendLines: ReadonlySet<string> = new Set([
  ...["balance", "cookie", "default-server", "dispatch", "dynamic-cookie-key", "external-check", "fullconn"],
  ...["hash-balance-factor", "hash-type", "http-check", "http-reuse", "http-send-name-header"],
  ...["load-server-state-from-file", "max-keep-alive-queue", "max-session-srv-conns", "persist", "retries"],
  ...["retry-on", "server", "server-state-file-name", "server-template", "source", "srvtcpka-cnt"],
  ...["srvtcpka-idle", "srvtcpka-intvl", "stick", "tcp-check", "timeout check", "timeout connect"],
  ...["timeout queue", "timeout server", "timeout server-fin", "timeout tunnel", "use-server"],
  ...["abortonclose", "accept-invalid-http-response", "allbackups", "checkcache", "log-health-checks"],
  ...["h1-case-adjust-bogus-server", "http-pretend-keepalive", "prefer-last-server", "redispatch"],
  ...["srvtcpka", "tcp-smart-connect", "transparent", "force-persist", "ignore-persist", ...checkOptions],
]);

/** The half of a proxy that a line is not about; null if it is about both. */
function otherHalf({ words }: Directive): "frontend" | "backend" | null {
  const [first = "", second = "", third = ""] = words;
  const isOption = first === "option" || ((first === "no" || first === "default") && second === "option");
  const name = isOption ? (first === "option" ? second : third) : first;
  const isIn = (lines: ReadonlySet<string>) => lines.has(name) || lines.has(`${first} ${second}`);
  if (isIn(frontendLines)) return "backend";
  return isIn(backendLines) ? "frontend" : null;
}

/** True if a section has a frontend half. */
export function hasFrontend({ kind }: ConfigSection): boolean {
  return isProxyKind(kind) && kind !== "backend";
}
