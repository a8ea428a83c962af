// Attempts between nodes of a network: a node's dialer at another node's gateway, and who is refused there.

import { once } from "node:events";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayNetworks } from "../../../../src/agent/gateway/gateway.ts";
import type { NamedTask } from "../../../../src/agent/names/names-plan.ts";
import { PeerConnections } from "../../../../src/agent/names/peer-connections.ts";
import { TaskDialer } from "../../../../src/agent/names/task-dialer.ts";
import type { NamedNetwork, SentNodeKey } from "../../../../src/protocol/agent.ts";
import { attempt, type OpenGateway, openGateway, tcpTask } from "../../../support/gateway.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const key = (id: string, fill: number): SentNodeKey => ({
  id,
  key: Buffer.alloc(32, fill).toString("base64url"),
});
const shopKey = key("n-shop", 1);

/** A gateway with the task t1, whose container on the network `shop` is loopback, and what it accepts. */
async function openNode() {
  const accepted = new Map([[shopKey.id, { key: shopKey, networkId: "shop" }]]);
  const connections = new PeerConnections();
  connections.apply([peersOf("shop", [clientNode]), peersOf("other", [clientNode])]);
  const networks: GatewayNetworks = {
    key: (keyId) => {
      const found = accepted.get(keyId);
      if (found === undefined) return null;
      const nodeKey = { id: keyId, key: Buffer.from(found.key.key, "base64url") };
      return { key: nodeKey, peer: { networkId: found.networkId, nodeId: clientNode } };
    },
    follow: (peer, connection) => connections.add(peer, connection),
    endpoint: (networkId, taskId, port) =>
      networkId === "shop" && taskId === "t1" ? { host: "127.0.0.1", port } : null,
  };
  const tasks = { t1: { ports: new Map(), accepts: true }, t2: { ports: new Map(), accepts: true } };
  const open = await openGateway(tasks, { networks });
  stops.push(() => open.gateway.close(0));
  const task = await tcpTask((socket) => socket.end("hello"));
  stops.push(task.stop);
  return { ...open, accepted, connections, port: task.port };
}

/** The node whose dialer the tests use. */
const clientNode = "node-2";

function peersOf(networkId: string, nodeIds: readonly string[]): NamedNetwork {
  const peers = nodeIds.map((nodeId) => ({ nodeId, gateway: null, dial: shopKey, accept: [shopKey] }));
  return { id: networkId, services: [], peers };
}

function dialerOf({ gateway }: OpenGateway, dial: SentNodeKey, networkId = "shop"): TaskDialer {
  const base = `http://127.0.0.1:${gateway.port}`;
  const peer = { nodeId: "node-1", gateway: { transport: "direct" as const, base }, dial, accept: [] };
  const networks: NamedNetwork[] = [{ id: networkId, services: [], peers: [peer] }];
  return new TaskDialer(() => ({ networks, ownAddress: () => null, relay: null, nowMs: Date.now }));
}

const taskOf = (networkId: string, id = "t1"): NamedTask => ({
  id,
  networkId,
  nodeId: "node-1",
  address: "10.0.0.4",
  ports: [],
});

async function textOf(dialed: Duplex | string): Promise<string> {
  if (typeof dialed === "string") return dialed;
  let text = "";
  for await (const bytes of dialed) text += bytes;
  return text;
}

const dial = async (dialer: TaskDialer, task: NamedTask, port: number) =>
  textOf(await dialer.dial(task, port, new AbortController().signal));

describe("attempts on a network", () => {
  test("[A441] a node with the key of a network reaches its tasks at any port, published or not", async () => {
    const node = await openNode();
    expect(await dial(dialerOf(node, shopKey), taskOf("shop"), node.port)).toBe("hello");
    expect(await dial(dialerOf(node, shopKey), taskOf("shop"), 1)).toBe("refused");
  });

  test("[A441] a task that is not on the network of the key is gone for it", async () => {
    const node = await openNode();
    expect(await dial(dialerOf(node, shopKey), taskOf("shop", "t2"), node.port)).toBe("gone");
    const other = key("n-other", 2);
    node.accepted.set(other.id, { key: other, networkId: "other" });
    expect(await dial(dialerOf(node, other, "other"), taskOf("other"), node.port)).toBe("gone");
  });

  test("[A442] a forged key, one of another network, and one whose node has left are refused", async () => {
    const node = await openNode();
    const forged = { id: shopKey.id, key: key("", 9).key };
    expect(await dial(dialerOf(node, forged), taskOf("shop"), node.port)).toBe("unreached");
    expect(await dial(dialerOf(node, key("n-other", 1)), taskOf("shop"), node.port)).toBe("unreached");
    node.accepted.delete(shopKey.id);
    expect(await dial(dialerOf(node, shopKey), taskOf("shop"), node.port)).toBe("unreached");
  });

  test("[M212] a node that is removed from the network loses its open connections there, and others keep theirs", async () => {
    const node = await openNode();
    const echo = await tcpTask((socket) => socket.on("error", () => undefined).pipe(socket));
    stops.push(echo.stop);
    const dialed = await dialerOf(node, shopKey).dial(
      taskOf("shop"),
      echo.port,
      new AbortController().signal,
    );
    if (typeof dialed === "string") throw new Error(dialed);
    stops.push(() => dialed.destroy());
    const ended = new Promise((resolve) => dialed.once("close", resolve));
    dialed.on("error", () => undefined);
    const echoed = async (text: string) => {
      dialed.write(text);
      return String((await once(dialed, "data"))[0]);
    };
    expect(await echoed("a")).toBe("a");
    // The keys are replaced, and another node leaves.
    node.connections.apply([peersOf("shop", [clientNode, "node-3"])]);
    node.connections.apply([peersOf("shop", [clientNode])]);
    expect(await echoed("b")).toBe("b");
    node.connections.apply([peersOf("shop", ["node-3"])]);
    await ended;
    expect(await dial(dialerOf(node, shopKey), taskOf("shop"), node.port), "begun before").toBe("gone");
  });

  test("[A443] a key of a network proves byte tunnels only: no request, no reservation, no logs", async () => {
    const node = await openNode();
    for (const kind of ["repeat", "once", "reserve", "hello", "logs"] as const) {
      const signed = { kind, keyId: shopKey.id, key: Buffer.alloc(32, 1), port: node.port };
      expect(await attempt(node.gateway, signed), kind).toMatchObject({ status: 403, outcome: null });
    }
  });

  test("[A443] the key of routers does not reach ports of a network that are not published", async () => {
    const node = await openNode();
    const reply = await attempt(node.gateway, { kind: "tunnel", port: node.port, target: "*" }, [
      "Connection: Upgrade",
      "Upgrade: waggle-tcp",
    ]);
    expect(reply).toMatchObject({ status: 503, outcome: "gone" });
  });
});
