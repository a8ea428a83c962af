// IP addresses and the networks they belong to, in CIDR notation (RFC 4632; IPv6 as in RFC 4291 §2.2).

/** The 4 or 16 bytes of an address. */
type IpBytes = readonly number[];

/** A network; a single address is a network whose prefix is as long as the address. */
export type IpNetwork = { readonly bytes: IpBytes; readonly prefixBits: number };

/**
 * Reads an address; null if the text is not an address. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is
 * the IPv4 one.
 */
export function parseIp(text: string): IpBytes | null {
  const bytes = parseBytes(text);
  return bytes !== null && isIpv4Mapped(bytes) ? bytes.slice(12) : bytes;
}

/**
 * Reads a network, `10.0.0.0/8`, or a single address; null if the text is neither. A network of IPv4-mapped
 * addresses (`::ffff:0:0/96`) is the IPv4 one; its prefix cannot be shorter than 96 bits.
 */
export function parseNetwork(text: string): IpNetwork | null {
  const slash = text.indexOf("/");
  const bytes = parseBytes(slash < 0 ? text : text.slice(0, slash));
  if (bytes === null) return null;
  const addressBits = bytes.length * 8;
  const prefix = slash < 0 ? String(addressBits) : text.slice(slash + 1);
  const prefixBits = Number(prefix);
  if (!/^\d{1,3}$/.test(prefix) || prefixBits > addressBits) return null;
  if (!isIpv4Mapped(bytes)) return { bytes, prefixBits };
  return prefixBits < mappedPrefixBits
    ? null
    : { bytes: bytes.slice(12), prefixBits: prefixBits - mappedPrefixBits };
}

/** True if the address is in the network. An IPv4 network never contains an IPv6 address, nor the reverse. */
export function contains({ bytes, prefixBits }: IpNetwork, ip: IpBytes): boolean {
  if (bytes.length !== ip.length) return false;
  return bytes.every((byte, index) => {
    const bits = Math.min(Math.max(prefixBits - index * 8, 0), 8);
    const mask = (0xff00 >> bits) & 0xff;
    return (byte & mask) === ((ip[index] ?? 0) & mask);
  });
}

function parseBytes(text: string): IpBytes | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Length of the prefix of IPv4-mapped addresses, `::ffff:0:0/96` (RFC 4291 §2.5.5.2). */
const mappedPrefixBits = 96;

/** True for an address in `::ffff:0:0/96`. */
function isIpv4Mapped(bytes: IpBytes): boolean {
  return (
    bytes.length === 16 && bytes.every((byte, index) => index >= 12 || byte === (index >= 10 ? 0xff : 0))
  );
}

/** Refuses leading zeros, which some systems read as octal. */
function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseIpv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [headText = "", tailText] = halves;
  const head = parseGroups(headText, tailText === undefined);
  if (head === null) return null;
  if (tailText === undefined) return head.length === 16 ? head : null;
  const tail = parseGroups(tailText, true);
  if (tail === null) return null;
  const missing = 16 - head.length - tail.length;
  return missing >= 2 ? [...head, ...new Array<number>(missing).fill(0), ...tail] : null;
}

/**
 * The bytes of `2001:db8` or `ffff:192.0.2.1`; none for an empty text.
 *
 * @param isAtEnd true if these groups end the address: only there the last 32 bits may be written as IPv4
 */
function parseGroups(text: string, isAtEnd: boolean): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    const ipv4 = isAtEnd && index === groups.length - 1 && group.includes(".") ? parseIpv4(group) : null;
    if (ipv4 !== null) {
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
