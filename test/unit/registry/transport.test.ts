import { describe, expect, test } from "vitest";
import type { GatewayCheck } from "../../../src/domain/model/node-gateway.ts";
import { closeCodes } from "../../../src/protocol/agent.ts";
import type { Effects } from "../../../src/registry/effects.ts";
import { gatewayCheckIntervalMs, maxChecksAtOnce } from "../../../src/registry/gateway-checks.ts";
import { input, machine, refusal, TestMesh, type TestNode } from "./harness.ts";

type Bindings = { readonly tunnel?: boolean; readonly vpc?: boolean; readonly nodeAddresses?: string };

function meshWith(mode: "edge" | "local", { tunnel = true, vpc = false, nodeAddresses = "" }: Bindings = {}) {
  const mesh = new TestMesh(mode);
  Object.assign(mesh, { hasTunnel: tunnel, hasVpc: vpc, nodeAddresses });
  mesh.restart();
  mesh.registry.takeEffects();
  return mesh;
}

function nodeOf(mesh: TestMesh, { id }: TestNode) {
  const found = mesh.registry.node(id);
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

function transportOf(mesh: TestMesh, node: TestNode) {
  return nodeOf(mesh, node).transport;
}

/** The gateway part of the node's line in the routing table. */
function tableGateway(mesh: TestMesh, { name }: TestNode): string {
  const line = (mesh.registry.table(-1).text ?? "")
    .split("\n")
    .find((text) => text.startsWith(`node ${name} `));
  return line?.split(" ").slice(5, 7).join(" ") ?? "";
}

function setLabels(mesh: TestMesh, node: TestNode, labels: Record<string, string>) {
  const change = { availability: "active", role: "worker", labels } as const;
  return mesh.registry.updateNode(node.id, nodeOf(mesh, node).version, change, "operator");
}

/** Answers the checks of these effects. @param problem empty: the gateway answers */
function answer(mesh: TestMesh, { gatewayChecks }: Pick<Effects, "gatewayChecks">, problem = ""): Effects {
  for (const { nodeId, transport, url } of gatewayChecks) {
    mesh.registry.recordGatewayCheck(nodeId, { transport, url, problem });
  }
  return mesh.registry.takeEffects();
}

function checkedUrls({ gatewayChecks }: Effects): string[] {
  return gatewayChecks.map(({ transport, url }) => `${transport} ${url}`);
}

function tunnelOf({ assignments }: Effects, { id }: TestNode): boolean | undefined {
  return assignments.findLast(({ nodeId }) => nodeId === id)?.body.tunnel;
}

const silent = "no answer from http://node1.example.com:7946: open TCP port 7946 of the node for the mesh";

describe("the choice", () => {
  test("[O100] at the edge a node uses the tunnel until a check of its gateway succeeds, then direct", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    const effects = mesh.hello(node);
    const reason = "http://node1.example.com:7946 was not checked yet";
    expect(transportOf(mesh, node)).toEqual({ kind: "tunnel", reason });
    expect([tableGateway(mesh, node), tunnelOf(effects, node)]).toEqual(["tunnel -", true]);
    expect(checkedUrls(effects)).toEqual(["direct http://node1.example.com:7946"]);
    const after = answer(mesh, effects);
    expect(transportOf(mesh, node)).toEqual({ kind: "direct", reason: "" });
    expect(tableGateway(mesh, node)).toBe("direct http://node1.example.com:7946");
    expect(tunnelOf(after, node)).toBe(false);
    expect(mesh.events("node.transport")).toEqual(["node1: tunnel -> direct"]);
  });

  test("[O100] a failed check at the edge leaves the tunnel with the reason, and a later one moves the node back", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    const effects = mesh.hello(node);
    answer(mesh, effects, silent);
    expect(transportOf(mesh, node)).toEqual({ kind: "tunnel", reason: silent });
    answer(mesh, effects);
    answer(mesh, effects, silent);
    expect(transportOf(mesh, node)).toEqual({ kind: "tunnel", reason: silent });
    expect(mesh.events("node.transport")).toEqual([
      "node1: tunnel -> direct",
      `node1: direct -> tunnel: ${silent}`,
    ]);
  });

  test("[O100] a node that reconnects keeps the result of its last check", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    answer(mesh, mesh.hello(node));
    mesh.drop(node);
    mesh.restart();
    mesh.hello(node);
    expect(transportOf(mesh, node)?.kind).toBe("direct");
  });

  test("[O100] a local mesh uses direct at once, and the tunnel after a failed check", () => {
    const mesh = meshWith("local", { nodeAddresses: "127.0.0.0/8" });
    const node = mesh.join("node1", "127.0.0.2");
    const effects = mesh.hello(node);
    expect([transportOf(mesh, node), tunnelOf(effects, node)]).toEqual([
      { kind: "direct", reason: "" },
      false,
    ]);
    const after = answer(mesh, effects, silent);
    expect([transportOf(mesh, node), tunnelOf(after, node)]).toEqual([
      { kind: "tunnel", reason: silent },
      true,
    ]);
    expect(tableGateway(mesh, node)).toBe("tunnel -");
  });

  test("[O100] without a tunnel a node stays direct, and the problem is shown", () => {
    for (const mode of ["local", "edge"] as const) {
      const mesh = meshWith(mode, { tunnel: false, nodeAddresses: "*.example.com" });
      const node = mesh.join("node1", "node1.example.com");
      const effects = mesh.hello(node);
      expect(transportOf(mesh, node)).toEqual({ kind: "direct", reason: "" });
      answer(mesh, effects, silent);
      expect(transportOf(mesh, node), mode).toEqual({ kind: "direct", reason: silent });
    }
  });
});

describe("a pin", () => {
  test("[O101] the label waggle.transport pins a transport while the mesh has it; auto and no label do not", () => {
    const mesh = meshWith("local", { vpc: true, nodeAddresses: "10.0.0.0/8" });
    const node = mesh.join("node1", "10.0.0.5");
    mesh.hello(node);
    const pinned = "pinned by an operator (label waggle.transport)";
    for (const [label, kind, reason] of [
      ["tunnel", "tunnel", pinned],
      ["vpc", "vpc", pinned],
      ["direct", "direct", ""],
      ["auto", "direct", ""],
    ] as const) {
      setLabels(mesh, node, { "waggle.transport": label });
      expect(transportOf(mesh, node), label).toEqual({ kind, reason });
    }
    setLabels(mesh, node, { "waggle.transport": "tunnel" });
    mesh.hasTunnel = false;
    mesh.restart();
    mesh.hello(node);
    expect(transportOf(mesh, node)).toEqual({ kind: "direct", reason: "" });
  });

  test("[O101] a node pinned to direct or vpc stays there when its gateway does not answer, with the problem", () => {
    const mesh = meshWith("local", { vpc: true, nodeAddresses: "10.0.0.0/8" });
    const node = mesh.join("node1", "10.0.0.5");
    mesh.hello(node);
    for (const kind of ["direct", "vpc"] as const) {
      setLabels(mesh, node, { "waggle.transport": kind });
      const effects = mesh.registry.takeEffects();
      expect(checkedUrls(effects).at(-1)).toBe(`${kind} http://10.0.0.5:7946`);
      answer(mesh, effects, silent);
      expect(transportOf(mesh, node)).toEqual({ kind, reason: silent });
      expect(tableGateway(mesh, node)).toBe(`${kind} http://10.0.0.5:7946`);
    }
  });

  test("[O101] a label that names no transport, or one without its binding, is refused when it is set", () => {
    const mesh = meshWith("local", { tunnel: false, nodeAddresses: "10.0.0.0/8" });
    const node = mesh.join("node1", "10.0.0.5");
    mesh.hello(node);
    expect(refusal(setLabels(mesh, node, { "waggle.transport": "ssh" }))).toBe(
      "label/invalid: label 'waggle.transport' has 'ssh': write direct, vpc, tunnel or auto",
    );
    for (const [text, binding] of [
      ["tunnel", "TUNNEL"],
      ["vpc", "VPC"],
    ] as const) {
      expect(refusal(setLabels(mesh, node, { "waggle.transport": text }))).toContain(
        `this mesh has no transport ${text}: add the binding ${binding}`,
      );
    }
    mesh.hasTunnel = true;
    mesh.restart();
    expect(setLabels(mesh, node, { "waggle.transport": "tunnel" })).toMatchObject({ ok: true });
    mesh.hasTunnel = false;
    mesh.restart();
    const other = { "waggle.transport": "tunnel", zone: "a" };
    expect(setLabels(mesh, node, other)).toMatchObject({ ok: true });
  });
});

describe("an address that may not be dialed", () => {
  const cases = [
    [
      "local",
      "192.168.1.5",
      "address 192.168.1.5 is not confirmed: waggle node update --advertise-addr 192.168.1.5 node1",
    ],
    [
      "edge",
      "node1.evil.test",
      "address node1.evil.test is not confirmed: waggle node update --advertise-addr node1.evil.test node1",
    ],
    [
      "edge",
      "192.0.2.7",
      '"192.0.2.7" is an IP address, and the edge refuses to dial one (error 1003): use a DNS name',
    ],
    ["edge", "node1", '"node1" is not a public DNS name: the edge dials names like node1.example.com'],
  ] as const;

  test.each(cases)("[O102] in %s, a node at %s uses the tunnel, with the reason", (mode, address, reason) => {
    // The last two addresses are confirmed, and cannot be dialed anyway.
    const mesh = meshWith(mode, { nodeAddresses: "192.0.2.7, node1" });
    const node = mesh.join("node1", address);
    const effects = mesh.hello(node, [], "198.51.100.1");
    expect(nodeOf(mesh, node)).toMatchObject({ state: "ready", transport: { kind: "tunnel", reason } });
    expect([tableGateway(mesh, node), checkedUrls(effects), effects.closes]).toEqual(["tunnel -", [], []]);
    for (const pin of ["direct", "auto"]) {
      setLabels(mesh, node, { "waggle.transport": pin });
      expect(tableGateway(mesh, node), pin).toBe("tunnel -");
    }
    mesh.registry.recordGatewayCheck(node.id, {
      transport: "direct",
      url: `http://${address}:7946`,
      problem: "",
    });
    expect(tableGateway(mesh, node)).toBe("tunnel -");
  });

  test("[O102] once an operator confirms it, the gateway is checked and the node becomes direct; without the label it is on the tunnel again", () => {
    const mesh = meshWith("edge");
    const node = mesh.join("node1", "node1.example.com");
    mesh.hello(node);
    setLabels(mesh, node, { "waggle.address": "node1.example.com" });
    const effects = mesh.registry.takeEffects();
    expect(checkedUrls(effects)).toEqual(["direct http://node1.example.com:7946"]);
    answer(mesh, effects);
    expect(tableGateway(mesh, node)).toBe("direct http://node1.example.com:7946");
    setLabels(mesh, node, {});
    expect(nodeOf(mesh, node)).toMatchObject({ state: "ready", transport: { kind: "tunnel" } });
    expect(tableGateway(mesh, node)).toBe("tunnel -");
    answer(mesh, effects);
    expect(tableGateway(mesh, node)).toBe("tunnel -");
  });

  test("[O102] without a tunnel such a node is refused, and nothing of its address is left in the table", () => {
    const mesh = meshWith("local", { tunnel: false });
    const node = mesh.join("node1", "10.0.0.5");
    expect(mesh.hello(node, [], null).closes).toMatchObject([{ code: closeCodes.badMessage }]);
    expect(tableGateway(mesh, node)).toBe("- -");
    setLabels(mesh, node, { "waggle.address": "10.0.0.5" });
    mesh.hello(node);
    expect(tableGateway(mesh, node)).toBe("direct http://10.0.0.5:7946");
    setLabels(mesh, node, {});
    expect(nodeOf(mesh, node)).toMatchObject({ state: "down" });
    expect(tableGateway(mesh, node)).toBe("- -");
  });

  test("[O102] an address that only VPC can dial joins at the edge, and is dialed once confirmed and pinned", () => {
    const mesh = meshWith("edge", { tunnel: false, vpc: true });
    const node = mesh.join("node1", "10.0.0.5");
    mesh.hello(node);
    expect(nodeOf(mesh, node).state).toBe("down");
    setLabels(mesh, node, { "waggle.transport": "vpc" });
    mesh.hello(node);
    expect([nodeOf(mesh, node).state, tableGateway(mesh, node)]).toEqual(["down", "- -"]);
    setLabels(mesh, node, { "waggle.transport": "vpc", "waggle.address": "10.0.0.5" });
    mesh.hello(node);
    expect(tableGateway(mesh, node)).toBe("vpc http://10.0.0.5:7946");
  });

  test("[O107] a gateway at a socket of the mesh itself is not dialed", () => {
    for (const tunnel of [true, false]) {
      const mesh = meshWith("local", { tunnel, nodeAddresses: "127.0.0.0/8" });
      const node = mesh.join("node1", "127.0.0.1");
      const claim = { ...machine("node1", "127.0.0.1"), gateway: { port: 8787, tls: false } };
      mesh.send(node.id, { type: "hello", node: claim, tasks: [] });
      expect(mesh.registry.takeEffects().gatewayChecks).toEqual([]);
      expect(tableGateway(mesh, node)).toBe(tunnel ? "tunnel -" : "- -");
    }
  });
});

describe("checks", () => {
  test("[O103] a report causes no check, and a settled mesh checks nothing", () => {
    const mesh = meshWith("local", { nodeAddresses: "127.0.0.0/8" });
    const node = mesh.node("node1");
    answer(mesh, {
      gatewayChecks: [{ nodeId: node.id, transport: "direct", url: "http://127.0.0.2:7946" }],
    } as never);
    mesh.service("my-web");
    expect(mesh.work().gatewayChecks).toEqual([]);
    expect(mesh.pass(10 * gatewayCheckIntervalMs).gatewayChecks).toEqual([]);
  });

  test("[O103] a node on the tunnel, or with a problem, is checked again every ten minutes, as long as it may be dialed", () => {
    for (const tunnel of [true, false]) {
      const mesh = meshWith("edge", { tunnel, nodeAddresses: "*.example.com" });
      const node = mesh.join("node1", "node1.example.com");
      const foreign = mesh.join("node2", "node2.evil.test");
      answer(mesh, mesh.hello(node), silent);
      mesh.hello(foreign);
      const again = mesh.pass(gatewayCheckIntervalMs);
      expect(checkedUrls(again)).toEqual(["direct http://node1.example.com:7946"]);
      answer(mesh, again, silent);
      expect(checkedUrls(mesh.pass(gatewayCheckIntervalMs))).toHaveLength(1);
      answer(mesh, again);
      expect(transportOf(mesh, node)).toEqual({ kind: "direct", reason: "" });
      expect(checkedUrls(mesh.pass(3 * gatewayCheckIntervalMs))).toEqual([]);
    }
  });

  test("[O103] of many waiting nodes, each is checked in its turn", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const count = maxChecksAtOnce + 10;
    for (let at = 0; at < count; at += 1) mesh.hello(mesh.join(`node${at}`, `node${at}.example.com`));
    const seen = new Set<string>();
    for (let run = 0; run < 4; run += 1) {
      const urls = checkedUrls(mesh.pass(gatewayCheckIntervalMs));
      expect(urls).toHaveLength(maxChecksAtOnce);
      for (const url of urls) seen.add(url);
    }
    expect(seen.size).toBe(count);
  });

  test("[O103] a suspect task has the gateway of a dialed node checked", () => {
    const mesh = meshWith("local", { nodeAddresses: "127.0.0.0/8" });
    const node = mesh.node("node1");
    mesh.service("my-web");
    mesh.work();
    const [task] = mesh.tasks("my-web");
    mesh.registry.suspect("router1", [task?.id ?? ""]);
    expect(checkedUrls(mesh.registry.takeEffects())).toEqual(["direct http://127.0.0.2:7946"]);
    answer(
      mesh,
      { gatewayChecks: [{ nodeId: node.id, transport: "direct", url: "http://127.0.0.2:7946" }] } as never,
      silent,
    );
    mesh.nowMs += 60_000;
    mesh.registry.suspect("router1", [task?.id ?? ""]);
    expect(checkedUrls(mesh.registry.takeEffects())).toEqual([]);
  });

  test("[O103] an update of a node checks its gateway at once, also without a difference", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    answer(mesh, mesh.hello(node), silent);
    setLabels(mesh, node, {});
    expect(checkedUrls(mesh.registry.takeEffects())).toEqual(["direct http://node1.example.com:7946"]);
  });

  test("[O105] the result of a check of another URL or transport, or of a node that is down, is ignored", () => {
    const mesh = meshWith("edge", { vpc: true, nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    mesh.hello(node);
    const stale: GatewayCheck[] = [
      { transport: "direct", url: "http://node1.example.com:7947", problem: "" },
      { transport: "direct", url: "https://node1.example.com:7946", problem: "" },
      { transport: "vpc", url: "http://node1.example.com:7946", problem: "" },
    ];
    for (const check of stale) {
      mesh.registry.recordGatewayCheck(node.id, check);
      expect(transportOf(mesh, node)?.kind).toBe("tunnel");
    }
    mesh.send(node.id, { type: "goodbye", reason: "" });
    mesh.registry.recordGatewayCheck(node.id, {
      transport: "direct",
      url: "http://node1.example.com:7946",
      problem: "",
    });
    mesh.registry.recordGatewayCheck("unknown", stale[0] as GatewayCheck);
    expect(transportOf(mesh, node)?.kind).toBe("tunnel");
  });

  test("[O105] a result does not count after the gateway has moved", () => {
    const mesh = meshWith("edge", { nodeAddresses: "*.example.com" });
    const node = mesh.join("node1", "node1.example.com");
    answer(mesh, mesh.hello(node));
    const moved = { ...node, address: "node2.example.com" };
    mesh.hello(moved);
    expect(transportOf(mesh, node)).toMatchObject({ kind: "tunnel" });
    expect(tableGateway(mesh, node)).toBe("tunnel -");
  });

  test("[O106] a change of the transport alone sends the node its assignment, and no other", () => {
    const mesh = meshWith("local", { nodeAddresses: "127.0.0.0/8" });
    const [one, two] = [mesh.node("node1"), mesh.node("node2")];
    mesh.registry.createService(input("my-web"), "operator");
    mesh.work();
    setLabels(mesh, one, { "waggle.transport": "tunnel" });
    const effects = mesh.registry.takeEffects();
    expect([tunnelOf(effects, one), tunnelOf(effects, two)]).toEqual([true, undefined]);
    setLabels(mesh, one, { "waggle.transport": "tunnel", zone: "a" });
    expect(mesh.registry.takeEffects().assignments).toEqual([]);
  });
});
