// Hosts that the data plane dials: their normal form, and hosts that it never dials.

import { contains, type IpNetwork, parseIp, parseNetwork } from "./cidr.ts";
import { isHostName } from "./host-name.ts";

/** Networks that lead to no node's tasks, and what they are. */
const neverDialed: readonly (readonly [text: string, what: string])[] = [
  ["0.0.0.0/8", "an unspecified address"],
  ["::/128", "an unspecified address"],
  ["169.254.0.0/16", "a link-local address"],
  ["fe80::/10", "a link-local address"],
  ["224.0.0.0/4", "a multicast address"],
  ["ff00::/8", "a multicast address"],
  ["240.0.0.0/4", "a reserved address"],
  // Clouds serve the credentials of a machine at these, besides 169.254.169.254: Alibaba, Oracle, Azure, AWS
  // and Google.
  ["100.100.100.200/32", "a metadata address"],
  ["192.0.0.192/32", "a metadata address"],
  ["168.63.129.16/32", "a metadata address"],
  ["fd00:ec2::/32", "a metadata address"],
  ["fd20:ce::254/128", "a metadata address"],
  // An IPv4 address is hidden in these: NAT64, 6to4, Teredo, and IPv4-compatible addresses (RFC 4291 §2.5.5.1).
  ["64:ff9b::/96", "an IPv4 address in the form of an IPv6 one"],
  ["2002::/16", "an IPv4 address in the form of an IPv6 one"],
  ["2001::/32", "an IPv4 address in the form of an IPv6 one"],
  ["::/96", "an IPv4 address in the form of an IPv6 one"],
];

const metadataNames: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.goog",
  "metadata.google.internal",
  "metadata.azure.internal",
  "instance-data",
  "instance-data.ec2.internal",
]);

const neverDialedNetworks = neverDialed.map(([text, what]) => ({ network: networkOf(text), what }));
const loopbackNetworks = ["127.0.0.0/8", "::1/128"].map(networkOf);

/**
 * The form in which a host is dialed: an IP address as it prints, or a name in lower case without a final
 * dot. Null if the text is neither; `2130706433` and `127.1`, which URL parsers read as 127.0.0.1, are not.
 */
export function dialedHost(text: string): string | null {
  const ip = parseIp(text);
  if (ip !== null) return ip.length === 4 ? ip.join(".") : (hostnameOf(`[${text}]`)?.slice(1, -1) ?? null);
  const name = text.toLowerCase().replace(/\.$/, "");
  return isHostName(name) && hostnameOf(name) === name ? name : null;
}

/** Why a host is never dialed, as `a link-local address`; null if it may be. Loopback is not among them. */
export function whyNeverDialed(host: string): string | null {
  if (metadataNames.has(host)) return "the name of a metadata service";
  const ip = parseIp(host);
  if (ip === null || isLoopback(host)) return null;
  return neverDialedNetworks.find(({ network }) => contains(network, ip))?.what ?? null;
}

/** True for 127.0.0.0/8, ::1 and the names of loopback (RFC 6761 §6.3). */
export function isLoopback(host: string): boolean {
  const ip = parseIp(host);
  if (ip !== null) return loopbackNetworks.some((network) => contains(network, ip));
  return host === "localhost" || host.endsWith(".localhost");
}

/** True if two texts name one host; IP addresses are compared by value. */
export function isSameHost(a: string, b: string): boolean {
  const left = dialedHost(a);
  return left !== null && left === dialedHost(b);
}

/** The host of a URL as the platform's parser reads it; null if it refuses the text. */
function hostnameOf(host: string): string | null {
  return URL.parse(`http://${host}/`)?.hostname ?? null;
}

function networkOf(text: string): IpNetwork {
  const network = parseNetwork(text);
  if (network === null) throw new Error(`cannot read network ${text}`);
  return network;
}
