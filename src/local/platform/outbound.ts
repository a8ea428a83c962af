// Where a request of a Worker goes, by its URL: the rules of Cloudflare's `fetch`, and the responses of a failed one.
// On Cloudflare a target that cannot be reached is a response, not an exception.

import { contains, parseIp, parseNetwork } from "../../domain/model/cidr.ts";
import { resolveTestName } from "./test-names.ts";

/** A response of the platform in the place of the target's. */
export type PlatformError = {
  readonly status: number;
  /** The number in its body. */
  readonly code: number;
};

/** An address to connect to, or the response without one. */
export type OutboundRoute =
  | { readonly kind: "address"; readonly host: string }
  /** A name of the real DNS. */
  | { readonly kind: "lookup"; readonly name: string }
  | { readonly kind: "refused"; readonly error: PlatformError };

/**
 * Ports that a proxied name accepts.
 *
 * @see https://developers.cloudflare.com/fundamentals/reference/network-ports/
 */
const proxiedPorts: ReadonlySet<number> = new Set([
  80, 8080, 8880, 2052, 2082, 2086, 2095, 443, 2053, 2083, 2087, 2096, 8443,
]);

/** "Direct IP access not allowed". */
const directIp: PlatformError = { status: 403, code: 1003 };
/** "DNS points to prohibited IP". */
export const prohibitedIp: PlatformError = { status: 403, code: 1000 };
/** "Origin DNS error". */
export const unknownName: PlatformError = { status: 530, code: 1016 };
/** "Web server is down". */
const refusedConnection: PlatformError = { status: 521, code: 521 };

/** The route of a URL. */
export function routeOutbound(url: URL): OutboundRoute {
  const name = url.hostname;
  // The URL parser has read 0x7f.1 and 2130706433 as IP addresses.
  if (parseIp(name.replace(/^\[|\]$/g, "")) !== null) return { kind: "refused", error: directIp };
  const test = resolveTestName(name);
  if (test === null) return { kind: "lookup", name };
  if (test.isProxied && !proxiedPorts.has(portOf(url))) return { kind: "refused", error: refusedConnection };
  return { kind: "address", host: test.address };
}

/** The port of a URL; of the scheme if it has none. */
export function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

/** Networks that no Worker reaches: private, loopback, link-local and reserved ones. */
const prohibitedNetworks = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
  "::/128",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
  "ff00::/8",
].flatMap((text) => parseNetwork(text) ?? []);

/** True for an address that only names of the test zone may lead to. */
export function isProhibited(address: string): boolean {
  const ip = parseIp(address);
  return ip === null || prohibitedNetworks.some((network) => contains(network, ip));
}

/** Why a connection to an origin failed: a code of Node.js, or a timeout of the platform. */
export type OriginFailure = { readonly code: string; readonly isSecure: boolean };

const statusByCode: Readonly<Record<string, number>> = {
  ECONNREFUSED: 521,
  CONNECT_TIMEOUT: 522,
  ETIMEDOUT: 522,
  EHOSTUNREACH: 523,
  ENETUNREACH: 523,
  EADDRNOTAVAIL: 523,
  READ_TIMEOUT: 524,
};

/** Codes of Node.js for a certificate that is not trusted, or is of another host. */
const certificateCode = /CERT|^UNABLE_TO_|^ERR_TLS_CERT_ALTNAME_INVALID$|SELF_SIGNED|^HOSTNAME_MISMATCH$/;

/**
 * The response to a failed connection.
 *
 * @see https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
export function originError({ code, isSecure }: OriginFailure): PlatformError {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return unknownName;
  if (certificateCode.test(code)) return { status: 526, code: 526 };
  if (isSecure && /^(?:EPROTO|ERR_SSL|ERR_TLS)/.test(code)) return { status: 525, code: 525 };
  const status = statusByCode[code] ?? 520;
  return { status, code: status };
}

/** The body of the platform's response, as a Worker gets it. */
export function errorBody({ code }: PlatformError): string {
  return `error code: ${code}`;
}
