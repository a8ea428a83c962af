import { expect, test } from "vitest";
import { MeshError } from "../../../../src/domain/model/error.ts";
import { allocatePorts } from "../../../../src/domain/model/ports.ts";
import type { PortRequest } from "../../../../src/domain/model/service.ts";
import { aService } from "../../../support/world.ts";

const web = aService({ name: "web" }, { id: "webid" });
const hosted = aService(
  { name: "hosted", ports: [{ target: 80, published: 9000, mode: "host" }] },
  { id: "hostedid" },
);
const dynamic = (target = 80): PortRequest => ({ target, mode: "ingress" });
const fixed = (published: number, target = 80, mode: "ingress" | "host" = "ingress"): PortRequest => ({
  target,
  published,
  mode,
});

test("[P4] ports requested without a number are allocated in ascending order from 30000", () => {
  const first = allocatePorts([dynamic(80), dynamic(81)], [], []);
  expect(first.map(({ published }) => published)).toEqual([30_000, 30_001]);
  const holder = aService({ name: "first" }, { ports: first });
  expect(allocatePorts([dynamic()], [], [holder])).toEqual([
    { target: 80, published: 30_002, mode: "ingress" },
  ]);
});

test("[P5] a port is free again once its service is removed", () => {
  const holder = aService({ name: "first" }, { ports: [{ target: 80, published: 30_000, mode: "ingress" }] });
  expect(allocatePorts([dynamic()], [], [holder])[0]?.published).toBe(30_001);
  expect(allocatePorts([dynamic()], [], [])[0]?.published).toBe(30_000);
});

test("[P6] a port of the dynamic range that is requested by number is not allocated to another request", () => {
  expect(allocatePorts([dynamic(80), fixed(30_000, 81)], [], []).map(({ published }) => published)).toEqual([
    30_001, 30_000,
  ]);
});

test("[P7] a port in use is refused with SwarmKit's message, which names the service that has it", () => {
  expect(refusal([fixed(8080)], web)).toEqual([
    "invalid",
    "port '8080' is already in use by service 'web' (webid) as an ingress port",
  ]);
  expect(refusal([fixed(8080, 80, "host")], web)[1]).toBe(
    "port '8080' is already in use by service 'web' (webid) as an ingress port",
  );
  expect(refusal([fixed(9000)], hosted)[1]).toBe(
    "port '9000' is already in use by service 'hosted' (hostedid) as a host-published port",
  );
});

test("[P8] two services may publish the same port in host mode", () => {
  expect(allocatePorts([fixed(9000, 80, "host")], [], [hosted])).toEqual([
    { target: 80, published: 9000, mode: "host" },
  ]);
});

test("[P9] a published port can be requested only once, but a target port may have several published ports", () => {
  expect(refusal([fixed(8080, 80), fixed(8080, 81)])).toEqual([
    "invalid",
    "EndpointSpec: duplicate published ports provided",
  ]);
  expect(
    allocatePorts([fixed(8080), fixed(9090), dynamic()], [], []).map(({ published }) => published),
  ).toEqual([8080, 9090, 30_000]);
});

test("[P10] a host-mode request without a number gets no published port", () => {
  expect(allocatePorts([{ target: 80, mode: "host" }], [], [])).toEqual([]);
});

test("[P11] if no port is free, the error names the range and what helps", () => {
  const ports = Array.from({ length: 2_768 }, (_, n) => ({
    target: 80,
    published: 30_000 + n,
    mode: "ingress" as const,
  }));
  expect(refusal([dynamic()], aService({ name: "all" }, { ports }))).toEqual([
    "unavailable",
    "no port is free between 30000 and 32767: request one by number, or remove a service",
  ]);
});

function refusal(
  requests: readonly PortRequest[],
  ...others: ReturnType<typeof aService>[]
): [string, string] {
  try {
    allocatePorts(requests, [], others);
  } catch (error) {
    if (error instanceof MeshError) return [error.kind, error.message];
    throw error;
  }
  return ["", "allocated"];
}
