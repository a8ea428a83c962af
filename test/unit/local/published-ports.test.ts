import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import type { ClosedPort } from "../../../src/domain/model/node-listeners.ts";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import {
  type DesiredListener,
  desiredListeners,
  listenersOfBalancer,
  listenersOfNode,
  PublishedPorts,
} from "../../../src/local/published-ports.ts";
import { RuntimeAgent } from "../../../src/local/runtime-agent.ts";

const node = (name: string, address: string, up = true) => ({
  id: `id-${name}`,
  name,
  up,
  address,
  hosts: [],
});
const service = (ports: RoutingTable["services"][number]["ports"], nodeIds: readonly string[]) => ({
  id: "s1",
  name: "my-web",
  policy: "roundrobin" as const,
  ports,
  hosts: [],
  tasks: nodeIds.map((nodeId, index) => ({
    id: `t${index}`,
    slot: index + 1,
    nodeId,
    weight: 1,
    endpoints: [],
  })),
});

function addresses(table: RoutingTable, kind: "own" | "shared" = "own", listen = "127.0.0.1"): string[] {
  const balancer = { address: listen, defaultPort: 8000 };
  return desiredListeners(table, { kind }, balancer).map(
    ({ owner, address, port }) => `${owner} ${address}:${port}`,
  );
}

const three = [node("node1", "127.0.0.2"), node("node2", "127.0.0.3", false), node("node3", "127.0.0.4")];

test("[U4] an ingress port is open on every node, up or down, and at the balancer", () => {
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], ["id-node1"]);
  expect(
    addresses({ version: 1, defaultService: null, signingKey: null, nodes: three, services: [web] }),
  ).toEqual([
    "balancer 127.0.0.1:8000",
    "balancer 127.0.0.1:8080",
    "node1 127.0.0.2:8080",
    "node2 127.0.0.3:8080",
    "node3 127.0.0.4:8080",
  ]);
});

test("[U5] a host-mode port is open only on nodes that run a task of its service", () => {
  const web = service([{ target: 80, published: 8080, mode: "host" }], ["id-node3"]);
  expect(
    addresses({ version: 1, defaultService: null, signingKey: null, nodes: three, services: [web] }),
  ).toEqual(["balancer 127.0.0.1:8000", "node3 127.0.0.4:8080"]);
});

const mixed: RoutingTable = {
  version: 1,
  defaultService: null,
  signingKey: null,
  nodes: [node("node1", "10.0.0.2"), node("node2", "10.0.0.3", false)],
  services: [
    service(
      [
        { target: 80, published: 8080, mode: "ingress" },
        { target: 81, published: 8081, mode: "host" },
      ],
      ["id-node2"],
    ),
  ],
};
const shown = (listeners: readonly DesiredListener[]) =>
  listeners.map(({ owner, address, port, identity: { role, nodeId, published } }) =>
    [owner, `${address}:${port}`, role, nodeId, published].join(" "),
  );

test("[O130] a node's own ingress opens every ingress port, and a host-mode port only with a task there", () => {
  const [first, second] = mixed.nodes.map(({ id, name, address }) =>
    listenersOfNode(mixed, { id, name }, address),
  );
  expect(shown(first ?? [])).toEqual(["node1 10.0.0.2:8080 ingress id-node1 8080"]);
  expect(shown(second ?? [])).toEqual([
    "node2 10.0.0.3:8080 ingress id-node2 8080",
    "node2 10.0.0.3:8081 ingress id-node2 8081",
  ]);
});

test("[O130] a balancer opens every ingress port, and its port for the default service unless it is published", () => {
  expect(shown(listenersOfBalancer(mixed, "0.0.0.0", null))).toEqual(["balancer 0.0.0.0:8080 edge  8080"]);
  expect(shown(listenersOfBalancer(mixed, "0.0.0.0", 80))).toEqual([
    "balancer 0.0.0.0:80 edge  ",
    "balancer 0.0.0.0:8080 edge  8080",
  ]);
  expect(shown(listenersOfBalancer(mixed, "0.0.0.0", 8080))).toEqual(["balancer 0.0.0.0:8080 edge  8080"]);
});

test("[O130] a mesh on one machine leaves the ports of nodes alone that open them themselves", () => {
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], []);
  const table = { version: 1, defaultService: null, signingKey: null, nodes: three, services: [web] };
  const balancer = { address: "127.0.0.1", defaultPort: 8000 };
  const own = new Set(["id-node1", "id-node3"]);
  expect(desiredListeners(table, { kind: "own" }, balancer, own).map(({ owner }) => owner)).toEqual([
    "balancer",
    "balancer",
    "node2",
  ]);
});

test("[U6] nodes that share an address listen on shifted ports, or on any free port beyond 65535", () => {
  const shared = [node("node1", "127.0.0.1"), node("node2", "127.0.0.1")];
  const web = service([{ target: 80, published: 50_000, mode: "ingress" }], []);
  expect(
    addresses(
      { version: 1, defaultService: null, signingKey: null, nodes: shared, services: [web] },
      "shared",
    ),
  ).toEqual([
    "balancer 127.0.0.1:8000",
    "balancer 127.0.0.1:50000",
    "node1 127.0.0.1:60000",
    "node2 127.0.0.1:0",
  ]);
});

test("[U129] a node at an IPv6 loopback address has listeners", () => {
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], []);
  const table = {
    version: 1,
    defaultService: null,
    signingKey: null,
    nodes: [node("node1", "::1")],
    services: [web],
  };
  expect(addresses(table)).toContain("node1 ::1:8080");
});

test.each([
  ["::1", "::1", 18_080],
  ["::1", "127.0.0.2", 8080],
  ["127.0.0.1", "127.0.0.1", 18_080],
  ["127.0.0.1", "127.0.0.2", 8080],
  ["0.0.0.0", "127.0.0.2", 18_080],
  ["0.0.0.0", "::1", 8080],
  ["::", "127.0.0.2", 18_080],
  ["::", "::1", 18_080],
])("[U129] with a balancer at %s a node at %s listens for 8080 on %i", (listen, address, port) => {
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], []);
  const table = {
    version: 1,
    defaultService: null,
    signingKey: null,
    nodes: [node("node1", address)],
    services: [web],
  };
  expect(addresses(table, "own", listen).at(-1)).toBe(`node1 ${address}:${port}`);
});

test("[U129] two nodes at one address listen on shifted ports", () => {
  const nodes = [node("node1", "127.0.0.9"), node("node2", "127.0.0.9"), node("node3", "127.0.0.4")];
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], []);
  expect(
    addresses({ version: 1, defaultService: null, signingKey: null, nodes, services: [web] }).slice(2),
  ).toEqual(["node1 127.0.0.9:18080", "node2 127.0.0.9:28080", "node3 127.0.0.4:8080"]);
});

test("[U6] a port other than the published one is logged when it opens", async () => {
  const lines: string[] = [];
  const ports = new PublishedPorts(
    new RuntimeAgent({ host: "127.0.0.1", port: 9 }),
    "key",
    (line) => lines.push(line),
    () => {},
  );
  const identity = { role: "ingress", nodeId: "n", published: 8080 } as const;
  await ports.apply([{ key: "a", address: "127.0.0.1", port: 0, identity, owner: "node1" }]);
  expect(lines).toEqual([`node1: published port 8080 is open at 127.0.0.1:${ports.portOf("a")}`]);
  await ports.close();
});

test("[U4] no port is opened for a node of another machine", () => {
  const remote = [node("remote", "node9.example.com")];
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], []);
  expect(
    addresses({ version: 1, defaultService: null, signingKey: null, nodes: remote, services: [web] }),
  ).toEqual(["balancer 127.0.0.1:8000", "balancer 127.0.0.1:8080"]);
});

test("[L21] closed ports are reported when a port cannot be opened, and again once it is open", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as AddressInfo;
  const reported: (readonly ClosedPort[])[] = [];
  const ports = new PublishedPorts(
    new RuntimeAgent({ host: "127.0.0.1", port: 1 }),
    "key",
    () => undefined,
    (closed) => reported.push(closed),
  );
  const identity = { role: "edge", nodeId: null, published: port } as const;
  const desired = [{ key: "k", address: "127.0.0.1", port, identity, owner: "balancer" }];
  await ports.apply(desired);
  await ports.apply(desired);
  expect(reported).toEqual([
    [
      {
        owner: "balancer",
        address: "127.0.0.1",
        port,
        why: "another process on this machine listens there; retrying until the port can be opened",
        sinceMs: expect.any(Number),
      },
    ],
  ]);
  await new Promise((resolve) => holder.close(resolve));
  await ports.apply(desired);
  expect(reported.at(-1)).toEqual([]);
  await ports.close();
});

test("[O179] a port is open for the mode of its service, and a change of the mode opens another listener", async () => {
  const web = service([{ target: 80, published: 8080, mode: "ingress" }], ["id-node1"]);
  const table = (services: RoutingTable["services"]): RoutingTable => {
    return { version: 1, defaultService: null, signingKey: null, nodes: three.slice(0, 1), services };
  };
  const balancer = { address: "127.0.0.1", defaultPort: 8000 };
  const desired = (services: RoutingTable["services"]) =>
    desiredListeners(table(services), { kind: "own" }, balancer).slice(1);
  const http = desired([web]);
  const tcp = desired([{ ...web, options: { mode: "tcp" } }]);
  expect(http.map(({ isTcp }) => isTcp)).toEqual([undefined, undefined]);
  expect(tcp.map(({ isTcp }) => isTcp)).toEqual([true, true]);
  expect(tcp.map(({ address, port }) => [address, port])).toEqual(
    http.map(({ address, port }) => [address, port]),
  );
  expect(http.some(({ key }) => tcp.some((other) => other.key === key))).toBe(false);
});

const webPorts = [
  { published: 80, target: 80, mode: "ingress" as const, protocol: "tcp" as const },
  { published: 8443, target: 80, mode: "ingress" as const, protocol: "tcp" as const },
];
const listened = (desired: readonly DesiredListener[]): string[] =>
  desired.map(({ port, identity, isTls, isTcp, redirectTo }) => {
    const words = [isTls && "tls", isTcp && "tcp", redirectTo !== undefined && `to ${redirectTo}`];
    return [port, identity.published === null ? "default" : "published", ...words].filter(Boolean).join(" ");
  });

test("[U491] ports with TLS are published ones, and others for the default service", () => {
  const table = { version: 1, nodes: [], services: [service(webPorts, [])] } as unknown as RoutingTable;
  const tls = { ports: [443, 8443], redirects: false };
  expect(listened(listenersOfBalancer(table, "0.0.0.0", null, tls)).sort()).toEqual([
    "443 default tls",
    "80 published",
    "8443 published tls",
  ]);
  expect(listened(listenersOfNode(table, { id: "n1", name: "node1" }, "0.0.0.0", tls)).sort()).toEqual([
    "80 published",
    "8443 published tls",
  ]);
});

test("[U491] a port of mode tcp passes the TLS of its clients as it is", () => {
  const raw = { ...service(webPorts, []), options: { mode: "tcp" } };
  const table = { version: 1, nodes: [], services: [raw] } as unknown as RoutingTable;
  const desired = listenersOfBalancer(table, "0.0.0.0", null, { ports: [8443], redirects: false });
  expect(listened(desired).sort()).toEqual(["80 published tcp", "8443 published tcp"]);
});

test("[U496] the plain port for the default service redirects, also when a service publishes it", () => {
  const tls = { ports: [443], redirects: true };
  const empty = { version: 1, nodes: [], services: [] } as unknown as RoutingTable;
  expect(listened(listenersOfBalancer(empty, "0.0.0.0", 80, tls))).toEqual([
    "80 default to 443",
    "443 default tls",
  ]);
  const table = { version: 1, nodes: [], services: [service(webPorts, [])] } as unknown as RoutingTable;
  expect(listened(listenersOfBalancer(table, "0.0.0.0", 80, tls)).sort()).toEqual([
    "443 default tls",
    "80 published to 443",
    "8443 published",
  ]);
});
