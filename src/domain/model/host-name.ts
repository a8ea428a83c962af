// Host names in labels, nodes and requests.

/** One label of a DNS name (RFC 1123 §2.1), or one with underscores, which service names may have. */
const dnsLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True for a DNS name in lower case without a port or trailing dot. */
export function isHostName(host: string): boolean {
  return host.length <= 253 && host.split(".").every((part) => dnsLabel.test(part));
}

/** True for a host name or an address, with a port or without one, as in a Host header. */
export function isAuthority(text: string): boolean {
  const [, name = "", port] = /^([^:[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(text) ?? [];
  const isHostPart = name.startsWith("[") ? URL.canParse(`http://${name}/`) : isHostName(name.toLowerCase());
  return isHostPart && (port === undefined || Number(port) <= 65_535);
}
