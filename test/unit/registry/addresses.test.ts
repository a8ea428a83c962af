import fc from "fast-check";
import { expect, test } from "vitest";
import { dialedHost, isLoopback, whyNeverDialed } from "../../../src/domain/model/dialed-host.ts";
import { closeCodes } from "../../../src/protocol/agent.ts";
import { registrySchema } from "../../../src/registry/schema.ts";
import { machine, refusal, TestMesh, type TestNode } from "./harness.ts";

/** A mesh in which no operator confirmed an address for every node. */
function strictMesh(mode: "edge" | "local" = "local"): TestMesh {
  const mesh = new TestMesh(mode);
  mesh.nodeAddresses = "";
  mesh.restart();
  return mesh;
}

/** Lets a node that joined say hello from an address. Returns its state, and why its socket was closed. */
function helloFrom(mesh: TestMesh, node: TestNode, client: string | null) {
  const { closes } = mesh.hello(node, [], client);
  const found = mesh.registry.node(node.id);
  return { state: found.ok ? found.value.state : "removed", closed: closes[0]?.reason ?? "" };
}

function setLabels(mesh: TestMesh, node: TestNode, labels: Record<string, string>) {
  const found = mesh.registry.node(node.id);
  if (!found.ok) throw new Error(found.problem.message);
  const change = { availability: "active", role: "worker", labels } as const;
  return mesh.registry.updateNode(node.id, found.value.version, change, "operator");
}

test("[M59] a node may have the address that it connects from, in any spelling, and no other", () => {
  for (const [address, client, state] of [
    ["192.0.2.7", "192.0.2.7", "ready"],
    ["192.0.2.7", "::ffff:192.0.2.7", "ready"],
    ["2001:db8::7", "2001:DB8:0:0::7", "ready"],
    ["192.0.2.7", "192.0.2.8", "down"],
    ["192.0.2.7", null, "down"],
    ["10.0.0.5", "192.0.2.7", "down"],
  ] as const) {
    const mesh = strictMesh();
    expect(helloFrom(mesh, mesh.join("node1", address), client).state, `${address} from ${client}`).toBe(
      state,
    );
  }
});

test("[M59] a node whose address is not confirmed gets no task, and its agent redials until an operator confirms it", () => {
  const mesh = strictMesh();
  const node = mesh.join("node1", "10.0.0.5");
  mesh.service("my-web");
  const reason = "address 10.0.0.5 is not confirmed: waggle node update --advertise-addr 10.0.0.5 node1";
  const effects = mesh.hello(node, [], "192.0.2.7");
  expect(effects.closes).toEqual([{ nodeId: node.id, code: closeCodes.badMessage, reason }]);
  expect(mesh.registry.node("node1")).toMatchObject({ value: { state: "down", message: reason } });
  expect(mesh.tasks()[0]?.nodeId).toBeNull();
  helloFrom(mesh, node, "192.0.2.7");
  expect(mesh.events("node.down")).toEqual([`node1: ${reason}`]);
  expect(setLabels(mesh, node, { "waggle.address": "10.0.0.5" })).toMatchObject({ ok: true });
  expect(helloFrom(mesh, node, "192.0.2.7")).toEqual({ state: "ready", closed: "" });
  expect(mesh.tasks()[0]?.nodeId).toBe(node.id);
});

test("[M59] an operator confirms addresses for every node by a list of addresses, networks, names and domains", () => {
  const mesh = strictMesh();
  mesh.nodeAddresses = "10.1.0.0/16, 192.0.2.9, node7.example.com, *.nodes.example.com";
  mesh.restart();
  for (const [address, state] of [
    ["10.1.2.3", "ready"],
    ["192.0.2.9", "ready"],
    ["node7.example.com", "ready"],
    ["a.b.nodes.example.com", "ready"],
    ["10.2.0.1", "down"],
    ["nodes.example.com", "down"],
    ["evilnodes.example.com", "down"],
    ["node7.example.com.evil.test", "down"],
  ] as const) {
    const node = mesh.join(address.replaceAll(".", "-"), address);
    expect(helloFrom(mesh, node, null).state, address).toBe(state);
  }
});

test("[M59] an address that a node once connected from stays its own, and no other node's", () => {
  const mesh = strictMesh();
  const node = mesh.join("node1", "192.0.2.7");
  helloFrom(mesh, node, "192.0.2.7");
  expect(helloFrom(mesh, node, "2001:db8::7").state).toBe("ready");
  expect(helloFrom(mesh, mesh.join("node2", "192.0.2.7"), "192.0.2.8").state).toBe("down");
});

test("[M60] a name and a loopback address are never proven by a connection", () => {
  const mesh = strictMesh();
  for (const address of ["node1.example.com", "127.0.0.1", "::1", "localhost"]) {
    const node = mesh.join(`n${address.replaceAll(/[.:]/g, "-")}x`, address);
    expect(helloFrom(mesh, node, address).state, address).toBe("down");
    setLabels(mesh, node, { "waggle.address": address });
    expect(helloFrom(mesh, node, address).state, address).toBe("ready");
  }
});

/** Spellings of hosts that no node, task or server may have. */
const forbidden = [
  ...["169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "FE80::1", "febf::1"],
  ...["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:0ec2:0::254", "fd20:ce::254"],
  ...["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1"],
  ...["64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "2001:0:7f00:1::"],
  ...["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.01", "1.2.3", "fe80::1%eth0"],
  ...["metadata.google.internal", "Metadata.Google.Internal", "metadata", "instance-data"],
];

test("[M61] link-local, metadata and other special addresses are refused in every spelling, even if confirmed", () => {
  const mesh = new TestMesh();
  mesh.nodeAddresses = "0.0.0.0/0, ::/0, *.internal";
  mesh.restart();
  mesh.service("legacy", { ports: [{ target: 80, mode: "ingress" }] });
  for (const host of forbidden) {
    const token = mesh.registry.joinTokens().worker;
    expect(refusal(mesh.registry.join({ token, ...machine("node1", host) })), host).toMatch(
      /^address\/invalid: (?:cannot read node address|node address) "/,
    );
    expect(refusal(mesh.registry.addServer("legacy", server(host, 80), "operator")), host).toMatch(
      /^address\/invalid: (?:cannot read server address|server address) "/,
    );
  }
  expect(mesh.registry.nodes()).toEqual([]);
});

test("[M61] an address that may be dialed reads back as it is dialed", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(address, (text) => {
      const host = dialedHost(text);
      if (host === null || whyNeverDialed(host) !== null) return;
      const bracketed = host.includes(":") ? `[${host}]` : host;
      expect(new URL(`http://${bracketed}`).hostname).toBe(bracketed);
      expect(dialedHost(host)).toBe(host);
      if (text.startsWith("127.")) expect(isLoopback(host)).toBe(true);
    }),
  );
});

test("[M62] no server may be at a socket of the mesh itself", () => {
  const mesh = new TestMesh();
  mesh.service("my-web");
  for (const host of ["127.0.0.1", "localhost"]) {
    const refused = mesh.registry.addServer("my-web", server(host, 8787), "operator");
    expect(refusal(refused)).toContain(`${host}:8787 is a socket of the mesh itself`);
  }
  expect(refusal(mesh.registry.addServer("my-web", server("127.0.0.1", 8788), "operator"))).toBe("");
});

test("[M63] a node is down as soon as an operator no longer confirms its address", () => {
  const mesh = strictMesh();
  const node = mesh.join("node1", "node1.example.com");
  setLabels(mesh, node, { "waggle.address": "*.example.com" });
  expect(helloFrom(mesh, node, "192.0.2.7").state).toBe("ready");
  mesh.registry.takeEffects();
  setLabels(mesh, node, {});
  expect(mesh.registry.takeEffects().closes).toMatchObject([
    { nodeId: node.id, code: closeCodes.badMessage },
  ]);
  expect(helloFrom(mesh, node, "192.0.2.7").state).toBe("down");
  expect(refusal(setLabels(mesh, node, { "waggle.address": "10.0.0.0/99" }))).toContain("write addresses as");
});

test("[M65] a node of a release that did not check addresses keeps its own, unless it is loopback", () => {
  for (const [address, state] of [
    ["node1.example.com", "ready"],
    ["10.0.0.5", "ready"],
    ["127.0.0.1", "down"],
  ] as const) {
    const mesh = strictMesh();
    const node = mesh.join("node1", address);
    const [step] = registrySchema.migrations.filter(({ number }) => number === 4);
    for (const statement of step?.statements ?? []) mesh.database.exec(statement);
    mesh.restart();
    expect(helloFrom(mesh, node, "192.0.2.7").state, address).toBe(state);
  }
});

function server(host: string, port: number) {
  const spec = {
    name: `s${port}${host.length}`,
    host,
    port,
    tls: false,
    weight: 1,
    backup: false,
    maxConn: 0,
  };
  return { spec: { ...spec, cookie: null, check: null }, admin: "ready" } as const;
}
