// The tunnel object in workerd, with an agent's end that the test drives frame by frame.

import { createExecutionContext, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { type AttemptKind, attemptHeader, printAttempt } from "../../../src/gateway/attempt.ts";
import { type Frame, plainData, readFrames, writeFrames } from "../../../src/gateway/tunnel/frames.ts";
import control from "../../../workers/control.ts";
import { registryOf } from "../../../workers/objects.ts";
import { until } from "../../support/until.ts";

let nodes = 0;

function newObject() {
  if (env.TUNNEL === undefined) throw new Error("wrangler.toml binds no tunnel");
  nodes += 1;
  return env.TUNNEL.getByName(`node${nodes}`);
}

type TunnelObject = ReturnType<typeof newObject>;

/** The agent's end of a socket, and the frames that came. */
type AgentEnd = {
  readonly ws: WebSocket;
  readonly frames: Frame[];
  readonly closes: string[];
  readonly send: (...frames: Frame[]) => void;
};

async function dial(object: TunnelObject): Promise<AgentEnd> {
  return agentEnd(await object.fetch("http://tunnel/mesh/tunnel", { headers: { upgrade: "websocket" } }));
}

function agentEnd({ webSocket: ws, status }: Response): AgentEnd {
  if (ws === null) throw new Error(`status ${status}`);
  const frames: Frame[] = [];
  const closes: string[] = [];
  ws.binaryType = "arraybuffer";
  ws.addEventListener("message", ({ data }) => {
    if (data instanceof ArrayBuffer) frames.push(...readFrames(new Uint8Array(data)));
  });
  ws.addEventListener("close", ({ code, reason }) => {
    closes.push(`${code} ${reason}`);
  });
  ws.accept();
  return { ws, frames, closes, send: (...sent) => ws.send(writeFrames(sent)) };
}

function ask(object: TunnelObject, kind: AttemptKind = "repeat", init: RequestInit = {}): Promise<Response> {
  const attempt = { keyId: "1", taskId: "t", port: 80, id: "a", issuedMs: 0, kind };
  const headers = { ...(init.headers ?? {}), [attemptHeader]: printAttempt(attempt, "p".repeat(22)) };
  return object.fetch("http://tunnel/", { ...init, headers: headers as Record<string, string> });
}

/** Waits for the n-th frame of a type. */
function frame<Type extends Frame["type"]>(
  { frames }: AgentEnd,
  type: Type,
  at = 0,
): Promise<Frame & { readonly type: Type }> {
  return until(`frame ${type}`, () => frames.filter((one) => one.type === type)[at]) as never;
}

const encode = (text: string) => new TextEncoder().encode(text);
const accepted = (stream: number): Frame => ({ type: "accepted", stream, window: 100_000 });

/** The frames of a response. */
function response(stream: number, text: string, head = "200 OK"): Frame[] {
  return [
    accepted(stream),
    { type: "head", stream, head: encode(head) },
    { type: "data", stream, bytes: encode(text), kind: plainData },
    { type: "end", stream, close: new Uint8Array() },
  ];
}

test("[O50] after an eviction a request works, and its stream has a number that no other had", async () => {
  const object = newObject();
  const agent = await dial(object);
  const first = ask(object);
  const { stream } = await frame(agent, "open");
  agent.send(...response(stream, "one"));
  expect(await (await first).text()).toBe("one");
  await evictDurableObject(object);
  const second = ask(object);
  const open = await frame(agent, "open", 1);
  expect(open.stream).toBeGreaterThan(stream);
  agent.send(...response(open.stream, "two"));
  expect(await (await second).text()).toBe("two");
  agent.ws.send("ping");
});

test("[O46] requests get the outcome of their tunnel: absent, lost, broken", async () => {
  const object = newObject();
  expect((await ask(object)).headers.get("x-waggle-tunnel")).toBe("absent");
  const agent = await dial(object);
  const answers = [ask(object, "once"), ask(object, "tunnel"), ask(object), ask(object, "reserve")];
  await frame(agent, "open", 3);
  const delivered = ask(object, "once", { method: "POST", body: "x" });
  const { stream } = await frame(agent, "open", 4);
  agent.send(accepted(stream));
  await frame(agent, "deliver");
  agent.ws.close(1001, "going");
  const outcomes = await Promise.all([...answers, delivered]);
  expect(outcomes.map(({ status, headers }) => `${status} ${headers.get("x-waggle-tunnel")}`)).toEqual([
    ...["503 lost", "503 lost", "502 broken", "502 broken", "502 broken"],
  ]);
  expect((await ask(object)).headers.get("x-waggle-tunnel")).toBe("absent");
});

test("[O46] a gateway cannot state an outcome of the tunnel", async () => {
  const object = newObject();
  const agent = await dial(object);
  const answer = ask(object);
  const { stream } = await frame(agent, "open");
  agent.send(...response(stream, "x", "503 No\nx-waggle-tunnel:absent\nx-waggle-gateway:full mark"));
  const { status, headers } = await answer;
  expect([status, headers.get("x-waggle-tunnel"), headers.get("x-waggle-gateway")]).toEqual([
    ...[503, null, "full mark"],
  ]);
});

test.each(["99 Low", "600 High", "101 Switching", "200", "OK"])(
  "[O45] a response that the runtime cannot return is broken: %s",
  async (head) => {
    const object = newObject();
    const agent = await dial(object);
    const answer = ask(object);
    const { stream } = await frame(agent, "open");
    agent.send(...response(stream, "x", head));
    expect((await answer).headers.get("x-waggle-tunnel")).toBe("broken");
  },
);

test("[O41] an agent that breaks the protocol loses its tunnel, and the close says what it sent", async () => {
  const object = newObject();
  const agent = await dial(object);
  const answer = ask(object);
  const { stream } = await frame(agent, "open");
  agent.send({ type: "head", stream, head: encode("200 OK") });
  await until("the close", () => agent.closes[0]);
  expect(agent.closes).toEqual(["4400 the other end of the tunnel sent a response out of order"]);
  expect((await answer).headers.get("x-waggle-tunnel")).toBe("broken");
});

test("[O47] a newer tunnel replaces the older one, and frames of the older one count no more", async () => {
  const object = newObject();
  const older = await dial(object);
  const answer = ask(object);
  await frame(older, "open");
  const newer = await dial(object);
  await until("the close", () => older.closes[0]);
  expect(older.closes).toEqual(["4409 a newer tunnel of this node replaced it"]);
  expect((await answer).headers.get("x-waggle-tunnel")).toBe("broken");
  const second = ask(object);
  const { stream } = await frame(newer, "open");
  newer.send(...response(stream, "newer"));
  expect(await (await second).text()).toBe("newer");
});

test("[O53] a member opens its tunnel at the control API, and its removal closes it", async () => {
  const mesh = registryOf(env);
  const { worker } = await mesh.joinTokens();
  const joined = await mesh.join({
    token: worker,
    hostname: "node1",
    address: "127.0.0.2",
    gateway: { port: 7946, tls: false },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 1, memoryBytes: 1 },
    engineVersion: "1",
    runtime: "process",
  });
  if (!joined.ok) throw new Error(joined.problem.message);
  const { nodeId, credential } = joined.value;
  const dialAs = (secret: string) =>
    control.fetch(
      new Request("http://control/mesh/tunnel", {
        headers: {
          upgrade: "websocket",
          authorization: `Bearer ${secret}`,
          "x-waggle-node": nodeId,
          "x-waggle-protocol": "3",
        },
      }),
      env,
      createExecutionContext(),
    );
  expect((await dialAs("x".repeat(40))).status).toBe(401);
  const agent = agentEnd(await dialAs(credential));
  const object = env.TUNNEL?.getByName(nodeId) as TunnelObject;
  const answer = ask(object);
  const { stream } = await frame(agent, "open");
  agent.send(...response(stream, "through the control API"));
  expect(await (await answer).text()).toBe("through the control API");
  expect(await mesh.removeNode(nodeId, true, "operator")).toMatchObject({ ok: true });
  await until("the close", () => agent.closes[0]);
  expect(agent.closes[0]).toMatch(/^4401 /);
});

test("[O53] an object that is disconnected closes its agent's socket with the code", async () => {
  const object = newObject();
  const agent = await dial(object);
  await object.disconnect(4401, "the node was removed");
  await until("the close", () => agent.closes[0]);
  expect(agent.closes).toEqual(["4401 the node was removed"]);
});

test("[O52] an upload stops at the window that the agent has granted", async () => {
  const object = newObject();
  const agent = await dial(object);
  const answer = ask(object, "once", { method: "POST", body: new Uint8Array(500_000) });
  const { stream } = await frame(agent, "open");
  agent.send({ ...accepted(stream), window: 20_000 } as Frame);
  await frame(agent, "data");
  expect(received(agent)).toBeLessThanOrEqual(20_000);
  agent.send({ type: "window", stream, window: 1_000_000 });
  await frame(agent, "end");
  expect(received(agent)).toBe(500_000);
  agent.send(...response(stream, "done").slice(1));
  expect(await (await answer).text()).toBe("done");
});

function received({ frames }: AgentEnd): number {
  return frames.reduce((sum, one) => sum + (one.type === "data" ? one.bytes.length : 0), 0);
}
