import type { PortRequest, PublishedPort, Service } from "./service.ts";

/** Ports of one service: as asked, or free ones from 30000 up. `others` are all other services. */
export function allocatePorts(
  _requests: readonly PortRequest[],
  _current: readonly PublishedPort[],
  _others: Iterable<Service>,
): readonly PublishedPort[] {
  throw new Error("not built yet");
}
