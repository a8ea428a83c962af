// Host patterns: which addresses and names an operator confirmed for nodes.

import { contains, type IpNetwork, parseIp, parseNetwork } from "./cidr.ts";
import { dialedHost } from "./dialed-host.ts";

/** Hosts that an operator confirmed: a network, a single host, or all names below a domain. */
export type HostPattern =
  | { readonly kind: "network"; readonly network: IpNetwork }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "domain"; readonly suffix: string };

/**
 * Reads a list of confirmed hosts: `10.0.0.0/8, 192.0.2.7, node1.example.com, *.nodes.example.com`.
 *
 * @returns the patterns, and the entries that cannot be read
 */
export function readHostPatterns(list: string): {
  readonly patterns: readonly HostPattern[];
  readonly unreadable: readonly string[];
} {
  const entries = list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const read = entries.map((entry) => ({ entry, pattern: patternOf(entry) }));
  return {
    patterns: read.flatMap(({ pattern }) => pattern ?? []),
    unreadable: read.flatMap(({ entry, pattern }) => (pattern === null ? entry : [])),
  };
}

/** True if an operator confirmed this host. */
export function isConfirmed(host: string, patterns: readonly HostPattern[]): boolean {
  const ip = parseIp(host);
  return patterns.some((pattern) => {
    if (pattern.kind === "network") return ip !== null && contains(pattern.network, ip);
    return pattern.kind === "name" ? pattern.name === host : ip === null && host.endsWith(pattern.suffix);
  });
}

function patternOf(entry: string): HostPattern | null {
  const network = parseNetwork(entry);
  if (network !== null) return { kind: "network", network };
  if (entry.startsWith("*.")) {
    const domain = dialedHost(entry.slice(2));
    return domain === null || !domain.includes(".") ? null : { kind: "domain", suffix: `.${domain}` };
  }
  const name = dialedHost(entry);
  return name === null ? null : { kind: "name", name };
}
