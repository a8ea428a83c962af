// Proxies in mode tcp: which of their lines HAProxy ignores, where their connections go, and how long these may
// be idle.

import { maxDurationMs } from "../domain/model/measure.ts";
import type { DiagnosedLine, Diagnostics } from "./diagnostics.ts";
import type { FrontendRouting, UseBackend } from "./routing-lines.ts";
import type { Directive } from "./sections.ts";
import { parseTimeMs } from "./time.ts";

export type ProxyMode = "http" | "tcp";

/** Lines that HAProxy ignores in mode tcp: it warns of most, and the others are about HTTP messages. */
const ignoredLines: ReadonlySet<string> = new Set([
  ...["compression", "cookie", "errorfile", "errorfiles", "errorloc", "errorloc302", "errorloc303"],
  ...[
    "dynamic-cookie-key",
    "http-after-response",
    "http-error",
    "http-request",
    "http-response",
    "http-reuse",
  ],
  ...["http-send-name-header", "max-keep-alive-queue", "monitor-uri", "redirect", "stats"],
  ...["unique-id-header", "timeout http-keep-alive", "timeout http-request", "timeout tarpit"],
  ...["option abortonclose", "option accept-invalid-http-request", "option accept-invalid-http-response"],
  ...["option checkcache", "option forwarded", "option forwardfor", "option h1-case-adjust-bogus-client"],
  ...["option h1-case-adjust-bogus-server", "option http-buffer-request", "option http-ignore-probes"],
  ...["option http-keep-alive", "option http-no-delay", "option http-pretend-keepalive"],
  ...["option http-restrict-req-hdr-names", "option http-server-close", "option http-use-proxy-header"],
  ...["option httpclose", "option idle-close-on-response", "option originalto"],
]);

/** Adds the outcome of lines that have no effect in mode tcp. */
export function reportIgnoredInTcp(lines: readonly Directive[], diagnostics: Diagnostics): void {
  for (const directive of lines) {
    if (isIgnoredInTcp(directive)) diagnostics.add(directive, "as is", "HAProxy ignores it in mode tcp");
  }
}

/** True for a line that has no effect in mode tcp. */
export function isIgnoredInTcp({ words: [head = "", name = ""] }: Pick<DiagnosedLine, "words">): boolean {
  return ignoredLines.has(head) || ignoredLines.has(`${head} ${name}`);
}

const oneServiceNote = "in mode tcp the mesh sends all connections of a port to one service";

/** Adds the outcome of lines for which the mesh has something else in mode tcp than in mode http. */
export function reportOtherInTcp(lines: readonly Directive[], diagnostics: Diagnostics): void {
  for (const directive of lines) {
    const [head = "", name = "", value = ""] = directive.words;
    if (head === "timeout" && name === "connect") {
      const isSame = parseTimeMs(value) === connectMs;
      diagnostics.add(directive, isSame ? "as is" : "could not", "a server has 5 s to accept a connection");
    } else if (head === "stick-table" || head === "stick") {
      diagnostics.add(directive, "could not", "use `balance source`, which keeps a client with its server");
    }
  }
}

/** Time to connect to a target. @see docs/tcp.md */
const connectMs = 5_000;

/** The routing of a frontend in mode tcp. A condition on requests or on the bytes of a connection has no counterpart. */
export function tcpRouting({ uses, unsupported, fallback, acls }: FrontendRouting): FrontendRouting {
  const always = uses.find(isUnconditional);
  const conditional = uses
    .filter((use) => use !== always)
    .map(({ backend, directive }) => ({ backend, directive, why: oneServiceNote, criterion: "" }));
  return {
    uses: [],
    unsupported: [...conditional, ...unsupported],
    fallback: always ?? fallback,
    acls: acls.map(({ directive }) => ({ directive, why: oneServiceNote })),
  };
}

function isUnconditional({ condition: { alternatives, isNegated } }: UseBackend): boolean {
  return !isNegated && alternatives.some((conjunction) => conjunction.length === 0);
}

/**
 * The label for the time that a connection may be idle: `timeout tunnel`, else the shorter of `timeout server`
 * and the longest `timeout client` of its frontends.
 *
 * @param frontends the lines of each
 */
export function idleTimeoutLabels(
  backend: readonly Directive[],
  frontends: readonly (readonly Directive[])[],
): Readonly<Record<string, string>> {
  const clientMs = frontends.map((lines) => timeoutMs(lines, "client"));
  const longestClientMs = clientMs.length === 0 ? any : Math.max(...clientMs);
  const tunnel = timeoutLine(backend, "tunnel");
  const idleMs =
    tunnel === undefined
      ? Math.min(timeoutMs(backend, "server"), longestClientMs)
      : timeoutMs(backend, "tunnel");
  // Without a timeout, a connection of HAProxy may be idle for any time.
  return { "waggle.idle-timeout": idleMs > maxDurationMs ? "0" : `${idleMs}ms` };
}

/** Adds the outcome of the timeouts of a proxy in mode tcp. */
export function reportIdleTimeouts(lines: readonly Directive[], diagnostics: Diagnostics): void {
  const tunnel = timeoutLine(lines, "tunnel");
  if (tunnel !== undefined) diagnostics.add(tunnel, "taken");
  for (const name of ["client", "server"]) {
    const line = timeoutLine(lines, name);
    if (line === undefined || diagnostics.has(line)) continue;
    if (tunnel !== undefined) diagnostics.add(line, "as is", "timeout tunnel replaces it");
    else diagnostics.add(line, "taken", "the shorter one of client and server, unless timeout tunnel is set");
  }
}

const any = Number.POSITIVE_INFINITY;

/** Without the line, and if it is zero, any time. */
function timeoutMs(lines: readonly Directive[], name: string): number {
  return parseTimeMs(timeoutLine(lines, name)?.words[2] ?? "0") || any;
}

function timeoutLine(lines: readonly Directive[], name: string): Directive | undefined {
  return lines.findLast(({ words }) => words[0] === "timeout" && words[1] === name);
}
