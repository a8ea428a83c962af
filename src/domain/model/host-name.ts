// A host name, as the mesh reads it from labels, nodes and requests.

/** One label of a DNS name: letters, digits and hyphens, no hyphen at either end (RFC 1123 §2.1), and the underscore. */
const dnsLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True for a DNS name in lower case, without a port or a trailing dot. */
export function isHostName(host: string): boolean {
  return host.length <= 253 && host.split(".").every((part) => dnsLabel.test(part));
}
