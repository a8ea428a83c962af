import fc from "fast-check";
import { expect, test } from "vitest";
import { MeshError } from "../../../../src/domain/model/error.ts";
import { allocatePorts } from "../../../../src/domain/model/ports.ts";
import type { PortRequest, Service } from "../../../../src/domain/model/service.ts";
import { aService } from "../../../support/world.ts";

type Step =
  | { readonly what: "set"; readonly name: string; readonly ports: readonly PortRequest[] }
  | { readonly what: "remove"; readonly name: string };

const name = fc.constantFrom("a", "b", "c", "d");
const published = fc.constantFrom(80, 8080, 30_000, 30_001, 30_003);
const request: fc.Arbitrary<PortRequest> = fc.oneof(
  fc.record({ target: fc.constantFrom(80, 81, 82), mode: fc.constant("ingress" as const) }),
  fc.record({
    target: fc.constantFrom(80, 81, 82),
    mode: fc.constantFrom("ingress" as const, "host" as const),
    published,
  }),
);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("set" as const),
      name,
      ports: fc.array(request, { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("remove" as const), name }) },
);

/** Adds, changes and removes services; `check` gets each allocation and the state before it. */
function always(
  check: (
    ports: Service["ports"],
    before: Service | undefined,
    others: readonly Service[],
    requests: readonly PortRequest[],
  ) => void,
): void {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 30, size: "max" }), (steps) => {
      const services = new Map<string, Service>();
      for (const step of steps) {
        const before = services.get(step.name);
        if (step.what === "remove") services.delete(step.name);
        else {
          const others = [...services.values()].filter(({ spec }) => spec.name !== step.name);
          try {
            const ports = allocatePorts(step.ports, before?.ports ?? [], others);
            check(ports, before, others, step.ports);
            services.set(step.name, aService({ name: step.name, ports: step.ports }, { ports }));
          } catch (error) {
            if (!(error instanceof MeshError)) throw error;
          }
        }
      }
    }),
    { numRuns: 300 },
  );
}

test("[P1] a port belongs to one service, or to several that all publish it in host mode", () => {
  always((ports, _before, others) => {
    expect(new Set(ports.map((port) => port.published)).size).toBe(ports.length);
    for (const port of ports) {
      for (const other of others.flatMap((service) => service.ports)) {
        if (other.published === port.published) expect([other.mode, port.mode]).toEqual(["host", "host"]);
      }
    }
  });
});

test("[P2] a dynamically allocated port stays with its target over updates", () => {
  always((ports, before, _others, requests) => {
    const numbers = requests.flatMap(({ published }) => published ?? []);
    const free = (before?.ports ?? []).filter(
      (port) => port.mode === "ingress" && !numbers.includes(port.published),
    );
    for (const target of [80, 81, 82]) {
      const open = requests.filter(
        (request) => request.target === target && request.published === undefined,
      ).length;
      const kept = free.filter((port) => port.target === target);
      const now = ports.filter((port) => port.target === target).map((port) => port.published);
      expect(kept.filter((port) => now.includes(port.published)).length).toBe(Math.min(open, kept.length));
    }
  });
});

test("[P3] requests get ports in order: the requested number, the current port, or one from 30000 to 32767", () => {
  always((ports, before, _others, requests) => {
    expect(ports.map(({ target, mode }) => ({ target, mode }))).toEqual(
      requests.map(({ target, mode }) => ({ target, mode })),
    );
    const current = (before?.ports ?? []).map((port) => port.published);
    for (const [at, port] of ports.entries()) {
      const requested = requests[at]?.published;
      if (requested !== undefined) expect(port.published).toBe(requested);
      else
        expect(
          current.includes(port.published) || (port.published >= 30_000 && port.published <= 32_767),
        ).toBe(true);
    }
  });
});
