// Which lines an import with `--strict` requires: those that decide which requests are served, and how.

import type { Diagnostic } from "./diagnostics.ts";
import { isDisabled } from "./references.ts";
import { type ConfigSection, type Directive, isProxyKind } from "./sections.ts";

/**
 * The lines that could not be imported and that decide which requests are served, or how. Every line of a proxy or
 * of defaults does, except those of `withoutRequests`. The other sections have an effect on requests only through
 * lines of proxies that name them.
 *
 * @returns diagnostics of outcome `could not`
 * @see docs/decisions/0064-import-in-two-passes.md
 */
export function strictRefusals(
  sections: readonly ConfigSection[],
  diagnostics: readonly Diagnostic[],
): readonly Diagnostic[] {
  const required = new Set(sections.flatMap(requiredLines));
  return diagnostics.filter(({ line, outcome }) => outcome === "could not" && required.has(line));
}

function requiredLines(section: ConfigSection): readonly number[] {
  const { kind, line, directives } = section;
  if (kind === "global") return directives.filter(limitsRate).map((directive) => directive.line);
  if (kind !== "defaults" && (!isProxyKind(kind) || isDisabled(section))) return [];
  return [line, ...directives.filter(concernsRequests).map((directive) => directive.line)];
}

/** `maxconnrate` and the like. The other lines of `global` are about HAProxy's own process. */
function limitsRate({ words: [head = ""] }: Directive): boolean {
  return /^max\w+rate$/.test(head);
}

function concernsRequests({ words }: Directive): boolean {
  const [first = "", second = "", third = ""] = words;
  const isNegated = first === "no" || first === "default";
  const [head, name] = isNegated ? [second, third] : [first, second];
  return !withoutRequests.has(head) && !withoutRequests.has(`${head} ${name}`);
}

/** Lines of proxies without which a request is answered the same, by the same servers. */
const withoutRequests: ReadonlySet<string> = new Set([
  // An acl acts through the rules that use it.
  "acl",
  // Logs, counters and alerts.
  ...["capture", "declare capture", "email-alert", "error-log-format", "log", "log-format", "log-format-sd"],
  ...["log-steps", "log-tag", "http-request capture", "http-request set-log-level", "http-response capture"],
  ...["http-response set-log-level", "option contstats", "option dontlog-normal", "option dontlognull"],
  ...["option httplog", "option httpslog", "option log-separate-errors", "option logasap"],
  ...["option socket-stats", "option tcplog"],
  // How connections are opened, kept and closed.
  ...["backlog", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "option clitcpka"],
  ...["option http-server-close", "option httpclose", "option srvtcpka", "option tcpka"],
  ...["srvtcpka-cnt", "srvtcpka-idle", "srvtcpka-intvl", "timeout client-fin", "timeout connect"],
  ...["timeout http-keep-alive", "timeout server-fin"],
]);
