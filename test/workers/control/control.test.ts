// The control Worker in workerd, with its registry object.

import { abortAllDurableObjects, createExecutionContext, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import control from "../../../workers/control.ts";
import { planeName } from "../../../workers/plane.ts";

const token = env.OPERATOR_TOKEN;

test("[A1] [A10] in workerd, a service is returned as it was sent, as application/json exactly", async () => {
  const name = newName();
  const sent = spec(name);
  const created = await send("POST /v1.44/services/create", sent);
  expect([created.status, created.headers.get("content-type")]).toEqual([201, "application/json"]);
  const read = await send(`GET /v1.44/services/${name}`);
  expect(await read.json()).toMatchObject({ Spec: sent, Endpoint: { Ports: [{ TargetPort: 80 }] } });
  expect(read.headers.get("x-request-id")).toMatch(/^[0-9a-z]{25}$/);
  const again = await send("POST /v1.44/services/create", sent);
  expect([again.status, await again.json()]).toEqual([
    409,
    {
      message: `rpc error: code = AlreadyExists desc = name conflicts with an existing object: service ${name} already exists`,
    },
  ]);
});

test("[A3] in workerd, a token is required, and compared completely", async () => {
  for (const wrongToken of [null, `${token}x`, token.slice(1)]) {
    const headers = wrongToken === null ? {} : bearer(wrongToken);
    const response = await send("GET /v1.44/nodes", undefined, headers);
    expect([response.status, response.headers.get("content-type")]).toEqual([401, "application/json"]);
  }
});

test("[A6] in workerd, a body of 2 MB is refused", async () => {
  const response = await send("POST /v1.44/services/create", { Name: "x".repeat(2_000_000) });
  expect(response.status).toBe(413);
});

/** Joins a new node. */
async function joinNode(address: string) {
  const { JoinTokens } = await json("GET /v1.44/swarm");
  const node = {
    hostname: newName(),
    address,
    gateway: { port: 7946, tls: false },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 1, memoryBytes: 1 },
    engineVersion: "1",
    runtime: "process",
  };
  const joined = await send("POST /mesh/join", { protocol: 2, token: JoinTokens.Worker, node }, {});
  return { node, ...(await joined.json<{ nodeId: string; credential: string }>()) };
}

test("[A28] [A29] in workerd, an agent joins and dials; the object refuses a wrong credential with 401", async () => {
  const { node, nodeId, credential } = await joinNode("127.0.0.2");
  const dial = (credential: string) =>
    send("GET /mesh/agent", undefined, {
      ...bearer(credential),
      upgrade: "websocket",
      "x-waggle-node": nodeId,
      "x-waggle-protocol": "3",
    });
  const refused = await dial("wrong");
  expect([refused.status, refused.headers.get("content-type")]).toEqual([401, "application/json"]);
  expect(await refused.json()).toEqual({ message: expect.stringContaining("credential is wrong") });
  expect(refused.headers.get("x-request-id")).toMatch(/^[0-9a-z]{25}$/);
  const accepted = await dial(credential);
  expect(accepted.status).toBe(101);
  const socket = accepted.webSocket;
  socket?.accept();
  const received = messageOn(socket, () => true);
  socket?.send(JSON.stringify({ type: "hello", node, tasks: [] }));
  expect(await received).toMatchObject({ type: "assignment", node: { id: nodeId, name: node.hostname } });
  socket?.close();
});

test("[M59][M64] in workerd, a node is dialed at the address that its socket connects from, not at one that it names", async () => {
  for (const [peer, forged, isDialed] of [
    ["192.0.2.7", "192.0.2.66", true],
    ["192.0.2.66", "192.0.2.7", false],
  ] as const) {
    const { node, nodeId, credential } = await joinNode("192.0.2.7");
    const { webSocket } = await send("GET /mesh/agent", undefined, {
      ...bearer(credential),
      upgrade: "websocket",
      "x-waggle-node": nodeId,
      "x-waggle-protocol": "3",
      "cf-connecting-ip": peer,
      "x-forwarded-for": forged,
      "x-waggle-client": forged,
    });
    webSocket?.accept();
    const received = messageOn(webSocket, () => true);
    webSocket?.send(JSON.stringify({ type: "hello", node, tasks: [] }));
    expect(await received).toMatchObject({ type: "assignment", tunnel: !isDialed });
    webSocket?.close();
  }
});

test("[M62] in workerd, the control API refuses requests that the data plane forwarded, with any token", async () => {
  const mark = `my-web.${planeName(env)}`;
  for (const path of ["/version", "/dashboard/", "/_ping"]) {
    expect(
      (await send(`GET ${path}`, undefined, { ...bearer(token), "x-waggle-loop": `shop.other, ${mark}` }))
        .status,
    ).toBe(403);
  }
  const byOtherProxy = { ...bearer(token), "x-waggle-loop": "my-web.another-mesh" };
  expect((await send("GET /version", undefined, byOtherProxy)).status).toBe(200);
});

test("[A29] in workerd, a watcher gets events as they happen", async () => {
  const upgrade = { upgrade: "websocket" };
  expect((await send("GET /mesh/watch", undefined, upgrade)).status).toBe(401);
  const response = await send("GET /mesh/watch", undefined, { ...bearer(token), ...upgrade });
  const socket = response.webSocket;
  socket?.accept();
  const name = newName();
  const received = messageOn(socket, (frame) => frame.event?.action === "service.create");
  await send("POST /v1.44/services/create", spec(name));
  expect(await received).toMatchObject({ type: "event", event: { actor: "operator", subject: { name } } });
  socket?.close();
});

test("[A35] in workerd, the next request works after an eviction or a reset of the object", async () => {
  const name = newName();
  await send("POST /v1.44/services/create", spec(name));
  await evictDurableObject(env.REGISTRY.getByName("mesh"));
  expect((await send(`GET /v1.44/services/${name}`)).status).toBe(200);
  await abortAllDurableObjects();
  expect((await send(`GET /v1.44/services/${name}`)).status).toBe(200);
});

type Headers = Readonly<Record<string, string>>;

function bearer(credential: string): Headers {
  return { authorization: `Bearer ${credential}` };
}

async function send(line: string, body?: object, headers: Headers = bearer(token)): Promise<Response> {
  const [method = "", path = ""] = line.split(" ");
  const request = new Request(`http://mesh.test${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return control.fetch(request, env, createExecutionContext());
}

async function json(line: string): Promise<{ JoinTokens: { Worker: string } }> {
  return (await send(line)).json();
}

function spec(name: string) {
  return {
    Name: name,
    Labels: {},
    TaskTemplate: { ContainerSpec: { Image: "waggle/whoami:latest", Env: ["A=1"], Labels: { a: "b" } } },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: { Mode: "vip", Ports: [{ Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" }] },
  };
}

/** A new name: all tests share the one registry of the Worker. */
function newName(): string {
  return `x${crypto.randomUUID().slice(0, 8)}`;
}

type Frame = { readonly type: string; readonly event?: { readonly action: string } };

function messageOn(socket: WebSocket | null, isWanted: (frame: Frame) => boolean): Promise<Frame> {
  return new Promise((resolve, reject) => {
    if (socket === null) return reject(new Error("no socket"));
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (isWanted(frame)) resolve(frame);
    });
    socket.addEventListener("close", ({ code, reason }) => reject(new Error(`closed ${code} ${reason}`)));
  });
}
