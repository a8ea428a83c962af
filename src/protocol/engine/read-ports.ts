// Reads published ports: the Engine API's EndpointSpec.Ports as port requests.

import type { PortRequest } from "../../domain/model/service.ts";
import { invalidSpec } from "./check-template.ts";
import { invalidBody, quoteValue } from "./read.ts";
import type { EngineSpecPort } from "./service-schema.ts";

/**
 * Reads the ports that a service publishes. A published port of 0 means that the mesh allocates one.
 *
 * @param resolution `EndpointSpec.Mode`: `vip`, `dnsrr` or empty
 * @throws MeshError body/invalid
 */
export function readPorts(ports: readonly EngineSpecPort[], resolution: string): readonly PortRequest[] {
  if (resolution !== "" && resolution !== "vip" && resolution !== "dnsrr") {
    throw invalidBody(`invalid resolution mode: ${quoteValue(resolution)}: use vip`);
  }
  const requests = ports.map(readPort);
  if (resolution === "dnsrr" && requests.some(({ mode }) => mode === "ingress")) {
    throw invalidSpec("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
  }
  return requests;
}

function readPort(port: EngineSpecPort): PortRequest {
  const protocol = (port.Protocol || "tcp").toLowerCase();
  const target = port.TargetPort ?? 0;
  if (protocol !== "tcp") {
    throw invalidBody(
      `EndpointSpec: cannot publish ${target}/${protocol}: the mesh carries HTTP and WebSocket, and with label waggle.mode=tcp any protocol over tcp; ${protocol} datagrams have no way through it`,
    );
  }
  if (target === 0) {
    throw invalidBody(
      `EndpointSpec: port ${quoteValue(port)} has no TargetPort: set the port of the task to publish, 1 to 65535`,
    );
  }
  return {
    target,
    ...(port.PublishedPort && { published: port.PublishedPort }),
    mode: readPublishMode(port.PublishMode || "ingress"),
    ...(port.Name && { name: port.Name }),
  };
}

function readPublishMode(mode: string): PortRequest["mode"] {
  if (mode === "ingress" || mode === "host") return mode;
  throw invalidBody(`EndpointSpec: PublishMode is ${quoteValue(mode)}: use ingress or host`);
}
