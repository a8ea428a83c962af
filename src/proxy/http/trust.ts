// Trusted proxies: addresses and CIDR blocks whose forwarding headers are believed.

/** Tells whether an address is a trusted proxy's. */
export type TrustsAddress = (address: string) => boolean;

/**
 * Reads a list such as `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`. An empty list trusts nobody.
 *
 * @throws Error naming the entry that is neither an address nor a block
 */
export function readTrusted(list: string): TrustsAddress {
  const blocks = list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map(readBlock);
  if (blocks.length === 0) return () => false;
  return (address) => {
    const bits = addressBits(address);
    return (
      bits !== null &&
      blocks.some((block) => block.family === bits.family && block.value === bits.value >> block.shift)
    );
  };
}

type Bits = { readonly family: 4 | 6; readonly value: bigint };
type Block = Bits & { readonly shift: bigint };

function readBlock(entry: string): Block {
  const [address = "", prefix] = entry.split("/");
  const bits = addressBits(address);
  const width = bits?.family === 4 ? 32 : 128;
  const length = prefix === undefined ? width : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (bits === null || !(length <= width)) {
    throw new Error(`cannot read trusted proxy "${entry}": write an address or a block, such as 10.0.0.0/8`);
  }
  const shift = BigInt(width - length);
  return { family: bits.family, value: bits.value >> shift, shift };
}

/** An address as a number; an IPv4-mapped IPv6 address is the IPv4 one. Null when it is neither. */
function addressBits(address: string): Bits | null {
  const v4 = v4Bits(address);
  if (v4 !== null) return { family: 4, value: v4 };
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return addressBits(mapped);
  const v6 = v6Bits(address);
  return v6 === null ? null : { family: 6, value: v6 };
}

function v4Bits(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  return packed(parts, /^\d{1,3}$/, 10, 8);
}

function v6Bits(text: string): bigint | null {
  const [head = "", tail, more] = text.split("::");
  if (more !== undefined || !/^[0-9a-f:]+$/i.test(text)) return null;
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  return packed([...before, ...Array<string>(missing).fill("0"), ...after], /^[0-9a-f]{1,4}$/i, 16, 16);
}

function packed(parts: readonly string[], form: RegExp, radix: number, bits: number): bigint | null {
  let value = 0n;
  for (const part of parts) {
    const number = form.test(part) ? Number.parseInt(part, radix) : Number.NaN;
    if (!(number < 2 ** bits)) return null;
    value = (value << BigInt(bits)) | BigInt(number);
  }
  return value;
}
