// The plan of a node's names: answers, listeners and clients.

import { expect, test } from "vitest";
import { addressesOf, planNames } from "../../../../src/agent/names/names-plan.ts";
import type { LocalNetworks } from "../../../../src/agent/runtimes/runtime.ts";
import type { NamedNetwork, NamedService } from "../../../../src/protocol/agent.ts";

const task = (id: string, last: number, ports = [6379]): NamedService["tasks"][number] => ({
  id,
  nodeId: id.startsWith("own") ? "here" : "there",
  address: `10.0.0.${last}`,
  ports,
});

const local: LocalNetworks = {
  networks: [{ id: "shop", gateway: "172.18.0.1", subnet: "172.18.0.0/16" }],
  members: [
    { taskId: "own1", addresses: new Map([["shop", "172.18.0.5"]]), hasNameServers: false },
    { taskId: "own2", addresses: new Map([["elsewhere", "172.19.0.9"]]), hasNameServers: true },
  ],
};

const db: NamedService = {
  names: ["db", "Store"],
  virtualIp: "10.0.0.2",
  tasks: [task("own1", 3), task("far1", 4, [6379, 8080])],
};

function shop(...services: readonly NamedService[]): NamedNetwork {
  return { id: "shop", services: [...services], peers: [] };
}

const [client] = planNames([shop(db)], local).clients;

function look(name: string, ...services: readonly NamedService[]): readonly string[] | null {
  if (client === undefined) throw new Error("no client");
  return addressesOf(planNames([shop(...services)], local), client, name);
}

test("[N431] a name stands for the virtual address, and tasks.NAME for each task; an own one by its container", () => {
  expect(look("db", db)).toEqual(["10.0.0.2"]);
  expect(look("DB", db)).toEqual(["10.0.0.2"]);
  expect(look("store", db)).toEqual(["10.0.0.2"]);
  expect(look("tasks.db", db)).toEqual(["172.18.0.5", "10.0.0.4"]);
  expect(look("tasks.store", db)).toEqual(["172.18.0.5", "10.0.0.4"]);
  expect(look("unknown", db)).toBeNull();
});

test("[N431] in mode dnsrr a name stands for the tasks, and without a task it exists without an address", () => {
  expect(look("db", { ...db, virtualIp: null })).toEqual(["172.18.0.5", "10.0.0.4"]);
  expect(look("db", { ...db, virtualIp: null, tasks: [] })).toEqual([]);
  expect(look("db", { ...db, tasks: [] })).toEqual(["10.0.0.2"]);
  expect(look("tasks.db", { ...db, tasks: [] })).toEqual([]);
});

test("[N431] an alias of two services stands for both", () => {
  const other: NamedService = { names: ["cache", "store"], virtualIp: "10.0.0.9", tasks: [] };
  expect(look("store", db, other)).toEqual(["10.0.0.2", "10.0.0.9"]);
});

test("[N432] each open port of an address is accepted, for the tasks that have it", () => {
  const { listeners, addresses } = planNames([shop(db)], local);
  expect(listeners.map(({ address, port, tasks }) => [address, port, tasks.map(({ id }) => id)])).toEqual([
    ["10.0.0.2", 6379, ["own1", "far1"]],
    ["10.0.0.2", 8080, ["far1"]],
    ["10.0.0.4", 6379, ["far1"]],
    ["10.0.0.4", 8080, ["far1"]],
  ]);
  expect(addresses.get("shop")).toEqual(["10.0.0.2", "10.0.0.4"]);
});

test("[N434] a container is a client of the networks that it is on, by each of its addresses", () => {
  expect(planNames([shop(db)], local).clients).toEqual([
    { ip: "172.18.0.5", networkIds: ["shop"], hasNameServers: false },
    { ip: "172.19.0.9", networkIds: [], hasNameServers: true },
  ]);
});
