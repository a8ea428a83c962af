// An IP address as bytes, as far as a placement constraint needs it.

/** The bytes of an address, 4 or 16 of them; null when it is not one. IPv4 mapped into IPv6 is IPv4. */
export function parseIp(text: string): readonly number[] | null {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  const mapped = bytes?.length === 16 && bytes.every((byte, at) => at >= 12 || byte === (at >= 10 ? 255 : 0));
  return mapped ? bytes.slice(12) : bytes;
}

/** A network in CIDR notation, `10.0.0.0/8`; null when it is not one. */
export function parseCidr(text: string): { readonly bytes: readonly number[]; readonly bits: number } | null {
  const slash = text.indexOf("/");
  const bytes = slash < 0 ? null : parseIp(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (bytes === null || !/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return null;
  return { bytes, bits: Number(length) };
}

/** True when the address lies in the network; addresses of another family never do. */
export function contains(
  network: { bytes: readonly number[]; bits: number },
  ip: readonly number[],
): boolean {
  if (network.bytes.length !== ip.length) return false;
  return network.bytes.every((byte, at) => {
    const bits = Math.min(Math.max(network.bits - at * 8, 0), 8);
    const mask = (0xff00 >> bits) & 0xff;
    return (byte & mask) === ((ip[at] ?? 0) & mask);
  });
}

function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseIpv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(readGroups);
  if (head === undefined || head === null || tail === null) return null;
  if (tail === undefined) return head.length === 16 ? head : null;
  const gap = 16 - head.length - tail.length;
  return gap >= 2 ? [...head, ...new Array<number>(gap).fill(0), ...tail] : null;
}

/** The bytes of `2001:db8` or `ffff:192.0.2.1`; an empty text has none. */
function readGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [at, group] of groups.entries()) {
    const ipv4 = at === groups.length - 1 && group.includes(".") ? parseIpv4(group) : null;
    if (ipv4 !== null) {
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
