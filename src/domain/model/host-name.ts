// Host names in labels, nodes and requests.

/** One label of a DNS name (RFC 1123 §2.1), or one with underscores, which service names may have. */
const dnsLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True for a DNS name in lower case without a port or trailing dot. */
export function isHostName(host: string): boolean {
  return host.length <= 253 && host.split(".").every((part) => dnsLabel.test(part));
}
