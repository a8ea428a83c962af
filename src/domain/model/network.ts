// A network of the mesh: services on the same network reach each other by name.

import { invalidAs, MeshError } from "./error.ts";
import type { Service } from "./service.ts";

const invalid = invalidAs("network/invalid");

/** IPv4 addresses from `first`, a 32-bit number, `2 ** (32 - prefixBits)` of them. */
export type Subnet = { readonly first: number; readonly prefixBits: number };

export type Network = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Options of the driver, returned unread. */
  readonly options: Readonly<Record<string, string>>;
  /** The network of published ports. Each mesh has one. */
  readonly ingress: boolean;
  readonly attachable: boolean;
  /** `10.0.1.0/24` */
  readonly subnet: string;
  /** The address that no service or task gets. */
  readonly gateway: string;
  readonly createdAtMs: number;
};

/** What the operator asks for; `subnet` null: the next free one. */
export type NetworkSpec = Pick<Network, "name" | "labels" | "options" | "attachable"> & {
  readonly subnet: string | null;
  /** Null: the first address of the subnet. */
  readonly gateway: string | null;
};

/** A service's use of a network. */
export type NetworkAttachment = {
  /** Id of the network; its name until the registry has resolved it. */
  readonly target: string;
  /** Further names of the service on this network. */
  readonly aliases: readonly string[];
};

/** An address of a service or task on a network, with the length of the prefix: `10.0.1.5/20`. */
export type NetworkAddress = { readonly networkId: string; readonly address: string };

/** The subnet of the network `ingress`, that of early releases of Docker. */
const ingressSubnet = "10.255.0.0/16";
/** Other networks get subnets of this length from 10.0.0.0 on, below that of `ingress`: 4,080 of them. */
const subnetPrefixBits = 20;
const firstSubnet = 10 * 2 ** 24;
const lastSubnet = firstSubnet + 255 * 2 ** 16;

/** Networks of one mesh, so that a loop in a script does not fill the registry. */
const maxNetworks = 1_000;

const networkNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * A new network.
 *
 * @throws MeshError network/invalid, network/conflict, network/unavailable
 * @see docs/spec.md M150-M153
 */
export function makeNetwork(
  spec: NetworkSpec,
  networks: Iterable<Network>,
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
): Network {
  const others = [...networks];
  const { name, labels, options, attachable } = spec;
  if (!networkNamePattern.test(name) || name.length > 128) {
    throw invalid(
      `"${name}" is not a name of a network: use at most 128 letters, digits, "_", "." and "-", and begin with a letter or digit`,
    );
  }
  if (others.some((other) => other.name === name)) {
    throw new MeshError("network/conflict", `network with name ${name} already exists`, {
      blame: "operator",
      retry: "never",
    });
  }
  if (others.length >= maxNetworks) {
    throw new MeshError("network/unavailable", `the mesh has ${maxNetworks} networks: remove one`, {
      blame: "operator",
      retry: "never",
    });
  }
  const taken = others.map(({ subnet }) => requireSubnet(subnet));
  const subnet = spec.subnet === null ? freeSubnet(taken) : requestedSubnet(spec.subnet, taken);
  const gateway = spec.gateway === null ? subnet.first + 1 : gatewayIn(subnet, spec.gateway);
  return {
    id,
    name,
    labels,
    options,
    ingress: false,
    attachable,
    subnet: `${ipv4Text(subnet.first)}/${subnet.prefixBits}`,
    gateway: ipv4Text(gateway),
    createdAtMs: nowMs,
  };
}

/** The network of published ports. */
export function ingressNetwork(at: { readonly id: string; readonly nowMs: number }): Network {
  const spec = {
    name: "ingress",
    labels: {},
    options: {},
    attachable: false,
    subnet: ingressSubnet,
    gateway: null,
  };
  return { ...makeNetwork(spec, [], at), ingress: true };
}

/** The networks that a service is on, `ingress` first; networks that do not exist are left out. */
export function networksOf(
  { spec, discovered }: Pick<Service, "spec" | "discovered">,
  networks: ReadonlyMap<string, Network>,
): readonly Network[] {
  // Its containers are on the networks of their own daemon.
  if (discovered !== undefined) return [];
  const isPublished = spec.ports.some(({ mode }) => mode === "ingress");
  const ingress = isPublished ? [...networks.values()].filter((network) => network.ingress) : [];
  const others = (spec.networks ?? []).flatMap(({ target }) => networks.get(target) ?? []);
  return [...ingress, ...others.filter((network) => !network.ingress)];
}

/** Reads `10.0.1.0/24`; null if it is not an IPv4 network of 4 to 16 million addresses. */
export function readSubnet(text: string): Subnet | null {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const ip = readIpv4(address);
  const prefixBits = Number(prefix);
  if (ip === null || rest.length > 0 || !/^\d{1,2}$/.test(prefix)) return null;
  if (prefixBits < 8 || prefixBits > 30) return null;
  return { first: ip - (ip % sizeOf(prefixBits)), prefixBits };
}

/** The 32 bits of `10.0.1.5`; null if it is not an IPv4 address. */
export function readIpv4(text: string): number | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : null;
}

export function ipv4Text(ip: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(ip / 2 ** shift) % 256).join(".");
}

/** Number of addresses of a subnet. */
export function sizeOf(prefixBits: number): number {
  return 2 ** (32 - prefixBits);
}

/** The subnet of a stored network. */
export function requireSubnet(text: string): Subnet {
  const subnet = readSubnet(text);
  if (subnet === null) throw new Error(`a network has the subnet ${text}`);
  return subnet;
}

function freeSubnet(taken: readonly Subnet[]): Subnet {
  for (let first = firstSubnet; first < lastSubnet; first += sizeOf(subnetPrefixBits)) {
    const subnet = { first, prefixBits: subnetPrefixBits };
    if (!taken.some((other) => overlaps(other, subnet))) return subnet;
  }
  throw new MeshError(
    "network/unavailable",
    "could not find an available, non-overlapping IPv4 address pool",
    {
      blame: "operator",
      retry: "safe",
    },
  );
}

function requestedSubnet(text: string, taken: readonly Subnet[]): Subnet {
  const subnet = readSubnet(text);
  if (subnet === null) {
    throw invalid(
      `invalid subnet ${text}: write an IPv4 network with a prefix of 8 to 30 bits, such as 10.1.0.0/16`,
    );
  }
  if (taken.some((other) => overlaps(other, subnet))) {
    throw invalid(`invalid pool request: Pool overlaps with other one on this address space: ${text}`);
  }
  return subnet;
}

function gatewayIn(subnet: Subnet, text: string): number {
  const ip = readIpv4(text);
  const last = subnet.first + sizeOf(subnet.prefixBits) - 1;
  if (ip !== null && ip > subnet.first && ip < last) return ip;
  throw invalid(
    `invalid gateway ${text}: it is not an address of ${ipv4Text(subnet.first)}/${subnet.prefixBits}`,
  );
}

function overlaps(a: Subnet, b: Subnet): boolean {
  return a.first < b.first + sizeOf(b.prefixBits) && b.first < a.first + sizeOf(a.prefixBits);
}
