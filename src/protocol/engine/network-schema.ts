// The Engine API's networks: the body of a create request, and a network as responses have it.

import { z } from "zod";
import type { Network, NetworkSpec } from "../../domain/model/network.ts";
import { invalidBody, quoteValue, readAs } from "./read.ts";
import { timeText } from "./units.ts";

const textMap = z.record(z.string(), z.string());

const NetworkRequest = z.object({
  Name: z.string(),
  Driver: z.string().nullish(),
  Scope: z.string().nullish(),
  Internal: z.boolean().nullish(),
  Attachable: z.boolean().nullish(),
  Ingress: z.boolean().nullish(),
  ConfigOnly: z.boolean().nullish(),
  ConfigFrom: z.object({ Network: z.string().nullish() }).nullish(),
  EnableIPv6: z.boolean().nullish(),
  IPAM: z
    .object({
      Driver: z.string().nullish(),
      Config: z
        .array(
          z.object({
            Subnet: z.string().nullish(),
            IPRange: z.string().nullish(),
            Gateway: z.string().nullish(),
            AuxiliaryAddresses: textMap.nullish(),
            AuxAddress: textMap.nullish(),
          }),
        )
        .nullish(),
      Options: textMap.nullish(),
    })
    .nullish(),
  Options: textMap.nullish(),
  Labels: textMap.nullish(),
});
type NetworkRequest = z.infer<typeof NetworkRequest>;

/**
 * Reads the body of `POST /networks/create`.
 *
 * @returns `warning`: what is otherwise than asked for; may be empty
 * @throws MeshError body/invalid
 */
export function readNetwork(json: unknown): { readonly spec: NetworkSpec; readonly warning: string } {
  const request = readAs(NetworkRequest, json, "the network");
  checkSupported(request);
  const [config, ...further] = request.IPAM?.Config ?? [];
  if (further.length > 0) throw invalidBody("IPAM.Config has several subnets: a network of a mesh has one");
  const spec = {
    name: request.Name,
    labels: request.Labels ?? {},
    options: request.Options ?? {},
    attachable: request.Attachable ?? false,
    subnet: config?.Subnet || null,
    gateway: config?.Gateway || null,
  };
  return { spec, warning: warningOf(request) };
}

/** Refuses what would change who can reach whom, or which addresses there are. */
function checkSupported(request: NetworkRequest): void {
  const { Driver, Scope, IPAM, Options } = request;
  if (Driver && !["overlay", "bridge"].includes(Driver)) {
    throw invalidBody(`plugin ${quoteValue(Driver)} not found: networks of a mesh have the driver overlay`);
  }
  if (Scope && Scope !== "swarm") {
    throw invalidBody(`Scope is ${quoteValue(Scope)}: networks of a mesh have the scope swarm`);
  }
  if (IPAM?.Driver && IPAM.Driver !== "default") {
    throw invalidBody(
      `IPAM.Driver is ${quoteValue(IPAM.Driver)}: the registry allocates addresses; use default`,
    );
  }
  const refused: readonly (readonly [found: unknown, why: string])[] = [
    [request.Ingress, "Ingress: the mesh has a network ingress, and there can be one only"],
    [request.Internal, "Internal: containers reach other networks through their node; leave it out"],
    [request.ConfigOnly, "ConfigOnly: networks of a mesh have no configuration on nodes"],
    [request.ConfigFrom?.Network, "ConfigFrom: networks of a mesh have no configuration on nodes"],
    [request.EnableIPv6, "EnableIPv6: networks of a mesh have IPv4 addresses"],
    [
      Options?.encrypted !== undefined,
      "option encrypted: traffic between nodes is encrypted where their gateways have TLS (waggle agent --gateway-cert); leave the option out",
    ],
  ];
  const found = refused.find(([isSet]) => isSet);
  if (found !== undefined) throw invalidBody(`cannot create a network with ${found[1]}`);
  for (const { IPRange, AuxiliaryAddresses, AuxAddress } of IPAM?.Config ?? []) {
    const reserved = { ...AuxiliaryAddresses, ...AuxAddress };
    if (IPRange || Object.keys(reserved).length > 0) {
      throw invalidBody(
        "IPAM.Config: a network of a mesh gives out all addresses of its subnet; set Subnet only",
      );
    }
  }
}

function warningOf({ Driver, Options }: NetworkRequest): string {
  const unused = Object.keys(Options ?? {});
  return [
    ...(Driver === "bridge" ? ["the network has the driver overlay, because it is on every node"] : []),
    ...(unused.length > 0 ? [`options without an effect: ${unused.join(", ")}`] : []),
  ].join("; ");
}

/** The Engine API's network. Swarm shows no containers of other nodes either. */
export function writeNetwork(network: Network) {
  const { id, name, labels, options, ingress, attachable, subnet, gateway, createdAtMs } = network;
  return {
    Name: name,
    Id: id,
    Created: timeText(createdAtMs),
    Scope: "swarm",
    Driver: "overlay",
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [{ Subnet: subnet, Gateway: gateway }] },
    Internal: false,
    Attachable: attachable,
    Ingress: ingress,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: null,
    Options: options,
    Labels: labels,
  };
}

/** A network as SwarmKit writes it in a task's attachment. */
export function writeAttachedNetwork(network: Network) {
  const { id, name, labels, ingress, attachable, subnet, gateway, createdAtMs } = network;
  const time = timeText(createdAtMs);
  const IPAMOptions = { Driver: { Name: "default" }, Configs: [{ Subnet: subnet, Gateway: gateway }] };
  return {
    ID: id,
    Version: { Index: 1 },
    CreatedAt: time,
    UpdatedAt: time,
    Spec: {
      Name: name,
      Labels: labels,
      DriverConfiguration: { Name: "overlay" },
      ...(ingress && { Ingress: true }),
      ...(attachable && { Attachable: true }),
      IPAMOptions: { Driver: { Name: "default" } },
      Scope: "swarm",
    },
    DriverState: { Name: "overlay" },
    IPAMOptions,
  };
}
