// Addresses on networks, whatever services and tasks come and go.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ingressNetwork,
  makeNetwork,
  type Network,
  readIpv4,
  readSubnet,
  sizeOf,
} from "../../../../src/domain/model/network.ts";
import { isAlive } from "../../../../src/domain/model/task.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { withAddresses } from "../../../support/plans.ts";
import { aService, aTask, aWorld, now } from "../../../support/world.ts";

const networks = makeNetworks(["10.1.0.0/28", "10.2.0.0/24", null]);

/** `ingress`, then networks with the given subnets. */
function makeNetworks(subnets: readonly (string | null)[]): readonly Network[] {
  const all = [ingressNetwork({ id: "n-ingress", nowMs: now })];
  for (const [at, subnet] of subnets.entries()) {
    const spec = { name: `net${at}`, labels: {}, options: {}, attachable: false, subnet, gateway: null };
    all.push(makeNetwork(spec, all, { id: `n${at}`, nowMs: now }));
  }
  return all;
}

type Step =
  | {
      readonly kind: "service";
      readonly at: number;
      readonly on: readonly number[];
      readonly isPublished: boolean;
    }
  | { readonly kind: "task"; readonly at: number; readonly service: number }
  | { readonly kind: "end" | "delete"; readonly at: number };

const few = fc.nat({ max: 11 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("service" as const),
    at: fc.nat({ max: 3 }),
    on: fc.uniqueArray(fc.nat({ max: 2 }), { maxLength: 3 }),
    isPublished: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("task" as const), at: few, service: fc.nat({ max: 3 }) }),
  fc.record({ kind: fc.constantFrom("end" as const, "delete" as const), at: few }),
);

function applyStep(world: World, change: Step): World {
  if (change.kind === "service") {
    const { at, on, isPublished } = change;
    const id = `s${at}`;
    const before = world.services.get(id);
    const made = aService(
      {
        name: id,
        ports: isPublished ? [{ target: 80, mode: "ingress" }] : [],
        networks: on.map((network) => ({ target: `n${network}`, aliases: [] })),
      },
      { id },
    );
    const next = { ...made, ...(before?.virtualIps && { virtualIps: before.virtualIps }) };
    return { ...world, services: new Map(world.services).set(id, next) };
  }
  const tasks = new Map(world.tasks);
  const id = `t${change.at}`;
  const task = tasks.get(id);
  const service = change.kind === "task" ? world.services.get(`s${change.service}`) : undefined;
  if (service !== undefined && task === undefined) tasks.set(id, aTask(service, { id, state: "new" }));
  if (change.kind === "end" && task !== undefined) tasks.set(id, { ...task, state: "complete" });
  if (change.kind === "delete") tasks.delete(id);
  return { ...world, tasks };
}

function addressesOf({ services, tasks }: World) {
  const live = [...tasks.values()].filter(isAlive);
  return [
    ...[...services.values()].flatMap(({ id, virtualIps = [] }) => virtualIps.map((use) => ({ id, ...use }))),
    ...live.flatMap(({ id, addresses = [] }) => addresses.map((use) => ({ id, ...use }))),
  ];
}

describe("addresses on networks", () => {
  test("[M154] an address in use is unique in its network, lies in its subnet, and never changes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let world: World = { ...aWorld(), networks: new Map(networks.map((one) => [one.id, one])) };
        let before = new Map<string, string>();
        for (const change of steps) {
          world = withAddresses(applyStep(world, change));
          const used = addressesOf(world);
          const keys = used.map(({ networkId, address }) => `${networkId} ${address}`);
          expect(new Set(keys).size).toBe(keys.length);
          for (const { networkId, address } of used) {
            const network = world.networks.get(networkId);
            const subnet = readSubnet(network?.subnet ?? "");
            const ip = readIpv4(address.split("/")[0] ?? "") ?? 0;
            expect(subnet).not.toBeNull();
            if (subnet === null) return;
            expect(address).not.toBe(`${network?.gateway}/${subnet.prefixBits}`);
            expect(ip).toBeGreaterThan(subnet.first);
            expect(ip).toBeLessThan(subnet.first + sizeOf(subnet.prefixBits) - 1);
          }
          const after = new Map(used.map(({ id, networkId, address }) => [`${id} ${networkId}`, address]));
          for (const [key, address] of after) if (before.has(key)) expect(before.get(key)).toBe(address);
          before = after;
          expect(withAddresses(world)).toBe(world);
        }
      }),
    );
  });
});
