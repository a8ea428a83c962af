// The address of a target in the headers of its responses. Workers cannot set Host, so a target that builds
// URLs from Host names itself; the client must see the address it asked for (RFC 9110 §10.2.2, as nginx's
// proxy_redirect and proxy_cookie_domain do).

import type { EntryPoint } from "../entry-point.ts";
import { isUtf8 } from "./header-text.ts";
import { hostName } from "./host.ts";

/** The address that a client asked for. */
export type AskedAddress = {
  readonly scheme: EntryPoint["scheme"];
  /** Host and port as in a Host header. */
  readonly host: string;
};

/**
 * Replaces the target's address in Location, Content-Location, Refresh and the Domain of cookies. Relative
 * references, other hosts and other ports stay as they are, and so does a value with bytes that are not
 * UTF-8, because setting it would lose them.
 *
 * @param origin the target's, `http://10.0.0.5:8080`
 * @see docs/spec.md X129-X131
 */
export function replaceTargetAddress(headers: Headers, origin: string, asked: AskedAddress): void {
  const target = new URL(origin);
  for (const [name, replace] of replacements) {
    const value = headers.get(name);
    const replaced = value === null ? null : replace(value, target, asked);
    if (replaced !== null && replaced !== value && isUtf8(replaced)) headers.set(name, replaced);
  }
  const cookies = headers.getSetCookie();
  const replaced = cookies.map((cookie) => replaceDomain(cookie, target, asked));
  if (!replaced.every(isUtf8) || replaced.every((cookie, index) => cookie === cookies[index])) return;
  headers.delete("set-cookie");
  for (const cookie of replaced) headers.append("set-cookie", cookie);
}

type Replace = (value: string, target: URL, asked: AskedAddress) => string;

const replacements: readonly (readonly [name: string, Replace])[] = [
  ["location", replaceInReference],
  ["content-location", replaceInReference],
  ["refresh", replaceInRefresh],
];

/** An absolute or network-path reference (RFC 3986 §4.2), up to the end of its authority. */
const authorityPattern = /^(https?:)?\/\/([^/?#\\@\s'",;]+)(?=[/?#'",;]|$)/i;

function replaceInReference(value: string, target: URL, { scheme, host }: AskedAddress): string {
  const [prefix, protocol, authority] = authorityPattern.exec(value) ?? [];
  if (prefix === undefined) return value;
  const named = URL.parse(`${protocol ?? target.protocol}//${authority}`);
  if (named === null || !isSameAddress(named, target)) return value;
  const rest = value.slice(prefix.length);
  if (protocol === undefined) return `//${host}${rest}`;
  // A redirect to the other scheme stays one.
  return `${named.protocol === target.protocol ? `${scheme}:` : named.protocol}//${host}${rest}`;
}

/** The same host with the same port, or with the default port of either scheme if neither states one. */
function isSameAddress(named: URL, target: URL): boolean {
  if (named.hostname !== target.hostname) return false;
  return portOf(named) === portOf(target) || named.port === target.port;
}

function portOf({ port, protocol }: URL): string {
  return port === "" ? (protocol === "https:" ? "443" : "80") : port;
}

/** A Refresh value up to its URL, as browsers read it: `5; url=`, `0,'`. */
const refreshPattern = /^[\d.\s]*[;,]?\s*(?:url\s*=\s*)?['"]?/i;

function replaceInRefresh(value: string, target: URL, asked: AskedAddress): string {
  const [time = ""] = refreshPattern.exec(value) ?? [];
  return time + replaceInReference(value.slice(time.length), target, asked);
}

function replaceDomain(cookie: string, { hostname }: URL, { host }: AskedAddress): string {
  return cookie.replaceAll(/(;\s*domain\s*=\s*\.?)([^;\s]*)/gi, (attribute, name: string, domain: string) =>
    domain.toLowerCase() === hostname ? name + hostName(host) : attribute,
  );
}
