// The names that stand for public DNS in a mesh under the platform's rules. Each leads to an address of this machine,
// which plays a public one; the names of the real DNS lead where they lead.

/** The domain of these names. `.test` is reserved (RFC 6761 §6.2). */
export const testZone = "edge.test";

/** Where a name leads. */
export type TestAddress = {
  readonly address: string;
  /** True for a name that Cloudflare proxies ("orange"): only thirteen ports are open. Else it is DNS only. */
  readonly isProxied: boolean;
};

/** The name of node `ordinal` (1, 2, …). */
export function nodeTestName(ordinal: number): string {
  return `node${ordinal}.${testZone}`;
}

/** The name of an IPv4 address of this machine: `127-0-0-1.edge.test`. */
export function testNameOf(address: string): string {
  return `${address.replaceAll(".", "-")}.${testZone}`;
}

/**
 * The address of a name of the zone: `node2.edge.test`, `127-0-0-1.edge.test`, or `127-0-0-1.proxied.edge.test`. Null
 * for all others. Nodes have the addresses of `nodeAddress` in src/local/addresses.ts, plan `own`.
 */
export function resolveTestName(name: string): TestAddress | null {
  if (!name.endsWith(`.${testZone}`)) return null;
  const label = name.slice(0, -testZone.length - 1);
  const node = /^node([1-9]\d{0,2})$/.exec(label)?.[1];
  if (node !== undefined) return { address: `127.0.0.${Number(node) + 1}`, isProxied: false };
  const [, digits, proxied] = /^(\d{1,3}(?:-\d{1,3}){3})(\.proxied)?$/.exec(label) ?? [];
  return digits === undefined
    ? null
    : { address: digits.replaceAll("-", "."), isProxied: proxied !== undefined };
}
