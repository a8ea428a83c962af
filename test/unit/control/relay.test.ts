// The relay of the mesh, with a registry of its own. test/system/relay.test.ts has real machines.

import { expect, test } from "vitest";
import { GuessLimit } from "../../../src/control/guess-limit.ts";
import { Relay } from "../../../src/control/relay.ts";
import type { TableGateway } from "../../../src/domain/table/table.ts";
import { attemptHeader, gatewayHeader } from "../../../src/gateway/attempt.ts";
import { relayPath, toRelayHeaders } from "../../../src/gateway/relay.ts";
import { tunnelHeader } from "../../../src/gateway/tunnel/relay.ts";
import { machine, TestMesh } from "../registry/harness.ts";

type Dialed = { readonly gateway: TableGateway; readonly nodeId: string; readonly headers: Headers };

const attemptText = `1 k ${"t".repeat(25)} 80 r.1 1764331200000 repeat ${"p".repeat(22)}`;

/** A mesh with the machine `router`, the node `far` and the relay in front of it. */
function relayed(change: object = {}) {
  const mesh = new TestMesh();
  const join = (hostname: string, more: object) => {
    const description = { ...machine(hostname, `127.0.0.${mesh.nodes.size + 2}`), ...more };
    const joined = mesh.registry.join({ token: mesh.registry.joinTokens().worker, ...description });
    if (!joined.ok) throw new Error(joined.problem.message);
    const { nodeId, credential } = joined.value;
    mesh.nodes.set(nodeId, { id: nodeId, name: hostname, address: description.address, credential });
    mesh.sockets.set(nodeId, mesh.nowMs);
    mesh.send(nodeId, { type: "hello", node: description, tasks: [] });
    return { nodeId, credential };
  };
  const router = join("router", { ingress: true });
  const far = join("far", change);
  const dialed: Dialed[] = [];
  const state = { asked: 0, isReachable: true };
  const relay = new Relay({
    mesh: {
      relayAccess: (...args) => {
        state.asked += 1;
        if (!state.isReachable) throw new Error("unreachable");
        return mesh.registry.relayAccess(...args);
      },
    },
    dialGateway: async (gateway, nodeId, init) => {
      dialed.push({ gateway, nodeId, headers: init.headers as Headers });
      return new Response("ok", { headers: { [gatewayHeader]: "task mark" } });
    },
    guesses: new GuessLimit(),
    now: () => mesh.nowMs,
  });
  const send = async (sender = router, path = relayPath + far.nodeId, attempt = attemptText) => {
    const headers = toRelayHeaders(
      new Headers({ [attemptHeader]: attempt, "x-forwarded-for": "192.0.2.1", authorization: "Basic x" }),
      sender,
    );
    // What Cloudflare's network does on the way.
    headers.set("x-forwarded-for", "198.51.100.7");
    headers.set("cf-connecting-ip", "198.51.100.7");
    const request = new Request(`https://mesh.test${path}`, { headers });
    const response = await relay.serve(request, path, "198.51.100.7");
    return [response.status, response.headers.get(tunnelHeader)] as const;
  };
  return { mesh, router, far, dialed, state, send };
}

test("[O223] a request that states no machine, no node or no attempt is refused before the registry is asked", async () => {
  const { router, state, dialed, send } = relayed();
  expect(await send({ nodeId: "", credential: "" })).toEqual([401, "denied"]);
  expect(await send({ ...router, nodeId: "../x" })).toEqual([401, "denied"]);
  expect(await send(router, `${relayPath}../registry`)).toEqual([404, "denied"]);
  expect(await send(router, undefined, "1 k t 80")).toEqual([400, "denied"]);
  expect([state.asked, dialed]).toEqual([0, []]);
});

test("[O223] a wrong credential, a machine without ports and an unknown node reach no gateway", async () => {
  const { router, far, dialed, send } = relayed();
  expect(await send({ ...router, credential: "wrong" })).toEqual([401, "denied"]);
  expect(await send(far)).toEqual([403, "denied"]);
  expect(await send(router, relayPath + "z".repeat(25))).toEqual([404, "denied"]);
  expect(dialed).toEqual([]);
});

test("[O223] an address with many wrong credentials does not reach the registry, while the right one goes on", async () => {
  const { router, state, send } = relayed();
  await send();
  const guess = (count: number) => send({ ...router, credential: `guess${count}` });
  for (let count = 0; count < 20; count++) await guess(count);
  const { asked } = state;
  expect(asked).toBeLessThan(13);
  expect(await guess(99)).toEqual([429, "denied"]);
  expect(await send()).toEqual([200, null]);
  expect(state.asked).toBe(asked);
});

test("[O220] the gateway gets the headers of the attempt, and none of the relay or the way there", async () => {
  const { dialed, send } = relayed();
  expect(await send()).toEqual([200, null]);
  expect([...(dialed[0]?.headers ?? [])].sort()).toEqual([
    ["authorization", "Basic x"],
    ["x-forwarded-for", "192.0.2.1"],
    [attemptHeader, attemptText],
  ]);
});

test("[O225] the registry is asked once in 30 s for a machine and a node, and not waited for while it is unreachable", async () => {
  const { mesh, state, send } = relayed();
  await send();
  await send();
  expect(state.asked).toBe(1);
  state.isReachable = false;
  mesh.pass(30_000);
  expect(await send()).toEqual([200, null]);
  expect(await send()).toEqual([200, null]);
  expect(state.asked).toBe(2);
  mesh.pass(600_000);
  expect(await send()).toEqual([503, "denied"]);
});

test("[O225] a removed machine is refused 30 s later at most", async () => {
  const { mesh, router, send } = relayed();
  await send();
  mesh.registry.removeNode(router.nodeId, true, "operator");
  mesh.pass(30_000);
  expect(await send()).toEqual([401, "denied"]);
  expect(await send()).toEqual([401, "denied"]);
});

test("[O226] a private address comes from the registry, not from the machine", async () => {
  const gateways: TableGateway[] = [
    { transport: "vpc", base: "http://10.0.0.5:7946" },
    { transport: "direct", base: "http://10.0.0.5:7946" },
  ];
  const dialed: TableGateway[] = [];
  const relay = new Relay({
    mesh: { relayAccess: () => ({ router: "granted", gateway: gateways.shift() ?? null }) },
    dialGateway: async (gateway) => {
      dialed.push(gateway);
      return new Response("forged", { headers: { [tunnelHeader]: "lost" } });
    },
    guesses: new GuessLimit(),
    now: () => 0,
  });
  const send = (nodeId: string) => {
    const headers = new Headers({ [attemptHeader]: attemptText });
    const path = relayPath + nodeId;
    const sent = toRelayHeaders(headers, { nodeId: "m".repeat(25), credential: "c" });
    return relay.serve(new Request(`https://mesh.test${path}`, { headers: sent }), path, null);
  };
  const viaNetwork = await send("v".repeat(25));
  await send("d".repeat(25));
  expect(dialed).toEqual([
    { transport: "vpc", base: "http://10.0.0.5:7946" },
    // An older table may still name its tunnel; the mesh's own way is not the machine's business.
    { transport: "tunnel", base: "" },
  ]);
  // Only a tunnel object says what was not delivered.
  expect([viaNetwork.status, viaNetwork.headers.get(tunnelHeader)]).toEqual([502, "broken"]);
});
