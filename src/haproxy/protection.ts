// Lines that protect a service: they refuse requests, ask for a login, limit clients or encrypt. The import
// names those that the mesh does not apply.

import type { DiagnosedLine } from "./diagnostics.ts";

/** A protecting line that is not applied. */
export type LostProtection = {
  readonly line: number;
  readonly text: string;
  /** `frontend web`. */
  readonly section: string;
  /** What the line did: `denies requests`. */
  readonly effect: string;
  /** Services whose requests it applied to. */
  readonly services: readonly string[];
};

/** A rule that is not applied: its requests follow the other rules of its frontend, to another service. */
export type LostRoute = Pick<LostProtection, "line" | "text" | "section"> & {
  /** The backend that the rule leads to. */
  readonly backend: string;
};

const securityHeader =
  /^(strict-transport-security|content-security-policy|x-frame-options|x-content-type-options|referrer-policy|permissions-policy|cross-origin-.*)$/i;

/** What a line protects from, as a verb with its object; null if it does not protect. */
export function protectionOf({ words }: Pick<DiagnosedLine, "words">): string | null {
  const [head = "", second = "", third = ""] = words;
  if (head === "http-request") return requestRule(second, words);
  if (head === "http-response" || head === "http-after-response") return responseRule(second, third);
  if (head === "tcp-request") return tcpRule(third);
  if (head === "tcp-response") return tcpRule(third);
  if (head === "redirect") return redirectsToTls(words) ? "redirects clients to HTTPS" : null;
  if (head === "stick-table") return words.includes("store") ? "counts requests to limit clients" : null;
  if (head === "filter" && second === "spoe") return "inspects requests with another program";
  if (head === "maxconn") return "limits the connections of clients";
  if (head === "rate-limit") return "limits the rate of connections";
  if (head === "timeout" && second === "http-request") return "ends requests that arrive slowly";
  if (head === "bind") return bindProtection(words);
  if (head === "server" || head === "default-server") return serverProtection(words);
  const isRestricting = third === "reject" || third === "delete";
  if (second === "http-restrict-req-hdr-names" && isRestricting) return "refuses unusual header names";
  return null;
}

function requestRule(action: string, words: readonly string[]): string | null {
  if (action === "deny" || action === "reject" || action === "silent-drop") return "denies requests";
  if (action === "tarpit") return "delays and denies requests";
  if (action === "auth") return "requires a login";
  if (action === "return") return isRefusal(words) ? "denies requests" : null;
  if (action === "redirect" && redirectsToTls(words)) return "redirects clients to HTTPS";
  if (action.startsWith("track-sc")) return "counts requests to limit clients";
  if (action === "del-header") return "removes a header that clients may forge";
  if (action === "normalize-uri") return "normalizes paths before rules compare them";
  return null;
}

function isRefusal(words: readonly string[]): boolean {
  return Number(words[words.indexOf("status") + 1]) >= 400;
}

function redirectsToTls(words: readonly string[]): boolean {
  return words[words.indexOf("scheme") + 1] === "https" || words.some((word) => word.startsWith("https://"));
}

function responseRule(action: string, header: string): string | null {
  if (action === "deny" || action === "silent-drop") return "denies responses";
  if (action === "del-header") return "removes a header from responses";
  const isHeader = action === "set-header" || action === "add-header";
  return isHeader && securityHeader.test(header) ? "sends a security header" : null;
}

function tcpRule(action: string): string | null {
  if (action === "reject" || action === "silent-drop" || action === "close") return "rejects connections";
  return action.startsWith("track-sc") ? "counts connections to limit clients" : null;
}

function bindProtection(words: readonly string[]): string | null {
  const verify = words.indexOf("verify");
  if (verify >= 0 && words[verify + 1] !== "none") return "requires a client certificate";
  if (words.includes("ssl")) return "encrypts the connections of clients";
  return words.includes("maxconn") ? "limits the connections of clients" : null;
}

function serverProtection(words: readonly string[]): string | null {
  if (words.includes("verifyhost") || words.includes("ca-file") || words.includes("crl-file"))
    return "verifies the server's certificate by authorities of its own";
  return null;
}

/** Criteria that tell clients apart by what they may do. */
const guardingCriterion =
  /^!*(src|http_auth|ssl_c_|ssl_fc_has_crt|LOCALHOST|src_|sc\d?_|fc_rcvd_proxy|req\.ssl)/;

/** True if an unsupported criterion of a `use_backend` guards the other backends. */
export function isGuard(criterion: string): boolean {
  return guardingCriterion.test(criterion);
}
