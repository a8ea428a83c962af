import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import type { Result } from "../../../src/domain/model/error.ts";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import type { Assignment, TaskReport } from "../../../src/protocol/agent.ts";
import { type MeshApi, operationNames } from "../../../src/registry/api.ts";
import { ClockGuard } from "../../../workers/clock-guard.ts";
import { until } from "../../support/until.ts";
import { aSpec } from "../../support/world.ts";

const originalNow = Date.now;
let meshCount = 0;

afterEach(() => {
  vi.restoreAllMocks();
});

test("every operation is an RPC method of the object", async () => {
  await runInDurableObject(newMesh(), (object) => {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(object));
    expect(methods).toEqual(expect.arrayContaining([...operationNames]));
  });
});

test("[M50] the registry's state survives the eviction of its object", async () => {
  const mesh = newMesh();
  const { nodeId, credential } = await join(mesh, "node1");
  const before = [await mesh.info(), await mesh.joinTokens(), await mesh.nodes(), await mesh.events(0, 100)];
  await evictDurableObject(mesh);
  expect([await mesh.info(), await mesh.joinTokens(), await mesh.nodes(), await mesh.events(0, 100)]).toEqual(
    before,
  );
  const agent = await Agent.dial(mesh, nodeId, credential);
  await agent.hello("node1");
  expect(await mesh.nodes()).toMatchObject([{ state: "ready" }]);
});

test("[M50] an agent's socket survives the eviction of the object: messages still count, indexes still rise", async () => {
  const mesh = newMesh();
  const agent = await Agent.member(mesh, "node1");
  await mesh.createService(input("my-web"), "operator");
  const first = await agent.assignmentWith(({ tasks: sent }) => sent.length > 0);
  const [assigned] = first.tasks;
  await evictDurableObject(mesh);
  agent.report({ id: assigned?.id ?? "", state: "running" });
  await until("the task to run", async () => (await tasks(mesh)).some(({ state }) => state === "running"));
  expect((await mesh.table(0)).text).toContain(`task ${assigned?.id} slot 1 on node1`);
  await evictDurableObject(mesh);
  await mesh.removeService("my-web", "operator");
  const last = await agent.assignmentWith(({ tasks: [sent] }) => sent?.desired === "remove");
  expect(last.tasks).toMatchObject([{ id: assigned?.id }]);
  expect(last.index).toBeGreaterThan(first.index);
});

test("[M50] a reset loses only the sockets: a node that redials in time keeps its tasks", async () => {
  const mesh = newMesh();
  const member = await join(mesh, "node1");
  const agent = await Agent.dial(mesh, member.nodeId, member.credential);
  await agent.hello("node1");
  await mesh.createService(input("my-web"), "operator");
  const [task] = await tasks(mesh);
  await abortAllDurableObjects();
  const again = await Agent.dial(newStub(mesh), member.nodeId, member.credential);
  await again.hello("node1");
  expect((await again.assignment(1)).tasks).toMatchObject([{ id: task?.id, desired: "running" }]);
  advanceClock(14_000);
  await runDurableObjectAlarm(newStub(mesh));
  expect(await newStub(mesh).nodes()).toMatchObject([{ state: "ready" }]);
  expect(await tasks(newStub(mesh))).toEqual([task]);
});

test("[M51] a command that fails midway changes nothing, and the next one finds the state as it was", async () => {
  const mesh = newMesh();
  await mesh.createService(input("before"), "operator");
  await runInDurableObject(mesh, (object, { storage }) => {
    vi.spyOn(storage, "transactionSync").mockImplementationOnce((work) => {
      vi.mocked(storage.transactionSync).mockRestore();
      return storage.transactionSync(() => {
        work();
        throw new Error("the disk is gone");
      });
    });
    expect(() => object.createService(input("half"), "operator")).toThrow("the disk is gone");
  });
  // The type of the stub rejects `document`, which may be any JSON.
  expect(await (mesh as unknown as MeshApi).services()).toMatchObject([{ spec: { name: "before" } }]);
  expect(await mesh.createService(input("half"), "operator")).toMatchObject({ ok: true });
});

test("[M40] a silent node is down after 15 s by the alarm alone, and its socket is closed so that it redials", async () => {
  const mesh = newMesh();
  const agent = await Agent.member(mesh, "node1");
  await runInDurableObject(mesh, async (_object, { storage }) => {
    expect(await storage.getAlarm()).toBeGreaterThan(Date.now());
  });
  await evictDurableObject(mesh);
  advanceClock(15_100);
  expect(await runDurableObjectAlarm(mesh)).toBe(true);
  expect(await mesh.nodes()).toMatchObject([{ state: "down", message: "heartbeat failure" }]);
  expect(await agent.closed).toMatchObject({ code: 4408 });
});

test("[M73] once the clock was set back, the next call sets the alarm again, and a node that is silent goes down", async () => {
  const mesh = newMesh();
  const agent = await Agent.member(mesh, "node1");
  agent.ws.send("ping");
  await until("a pong", () => agent.received.includes("pong"));
  advanceClock(-30 * 60_000);
  await runInDurableObject(mesh, async (object, { storage }) => {
    expect(await storage.getAlarm()).toBeGreaterThan(Date.now() + 15_000);
    object.info();
    // The platform's own clock was not set back: it moves an alarm of the past to now.
    expect(await storage.getAlarm()).toBeLessThanOrEqual(originalNow());
  });
  await runDurableObjectAlarm(mesh);
  expect(await mesh.nodes()).toMatchObject([{ state: "ready" }]);
  advanceClock(-30 * 60_000 + 15_100);
  await runDurableObjectAlarm(mesh);
  expect(await mesh.nodes()).toMatchObject([{ state: "down", message: "heartbeat failure" }]);
});

test("[M78] an object whose clock stands still ahead of a caller's starts again; with a clock that runs it does not", () => {
  const resets: string[] = [];
  const ctx = { abort: (reason: string) => resets.push(reason) } as unknown as DurableObjectState;
  const guard = new ClockGuard(ctx);
  let nowMs = originalNow();
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  guard.check(nowMs - 1_800_000);
  nowMs += 1;
  guard.check(nowMs - 1_800_000);
  guard.check(nowMs - 500);
  guard.check(undefined);
  expect(resets).toEqual([]);
  guard.check(nowMs - 1_800_000);
  expect(resets).toEqual(["the clock was set back"]);
});

test("[M52] a ping is answered while the object sleeps, and counts as a heartbeat", async () => {
  const mesh = newMesh();
  const agent = await Agent.member(mesh, "node1");
  await runInDurableObject(mesh, (_object, state) => {
    const [socket] = state.getWebSockets();
    if (socket === undefined) throw new Error("no socket");
    socket.serializeAttachment({ ...socket.deserializeAttachment(), heardAtMs: Date.now() - 60_000 });
  });
  agent.ws.send("ping");
  await until("a pong", () => agent.received.includes("pong"));
  await evictDurableObject(mesh);
  advanceClock(14_000);
  await runDurableObjectAlarm(mesh);
  expect(await mesh.nodes()).toMatchObject([{ state: "ready" }]);
});

test("[M53] an alarm that fails is set again", async () => {
  const mesh = newMesh();
  await Agent.member(mesh, "node1");
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  await runInDurableObject(mesh, async (object, { storage }) => {
    vi.spyOn(storage, "transactionSync").mockImplementationOnce(() => {
      throw new Error("the disk is gone");
    });
    await storage.deleteAlarm();
    object.alarm();
    expect(await storage.getAlarm()).toBeGreaterThan(Date.now());
  });
  expect(log).toHaveBeenCalledOnce();
});

test("[M54] an agent with another protocol version gets 426 with both versions", async () => {
  const mesh = newMesh();
  const member = await join(mesh, "node1");
  for (const [offered, named] of [
    ["1", "1"],
    ["4", "4"],
    [undefined, "none"],
  ] as const) {
    const answer = await upgrade(mesh, { ...headersOf(member), "x-waggle-protocol": offered });
    expect(answer.status).toBe(426);
    expect(await answer.json()).toEqual({
      message: `this mesh speaks agent protocol 3, the agent offered ${named}`,
    });
  }
});

test("[M55] a wrong or missing credential, or that of another node, gets 401; a malformed id 400", async () => {
  const mesh = newMesh();
  const [one, two] = [await join(mesh, "node1"), await join(mesh, "node2")];
  const status = async (headers: Record<string, string | undefined>) => (await upgrade(mesh, headers)).status;
  expect(await status({ ...headersOf(one), authorization: undefined })).toBe(401);
  expect(await status({ ...headersOf(one), authorization: `Bearer ${two.credential}` })).toBe(401);
  expect(await status({ ...headersOf(one), authorization: `Basic ${one.credential}` })).toBe(401);
  expect(await status({ ...headersOf(one), "x-waggle-node": "node1" })).toBe(400);
  expect(await status({ ...headersOf(one), upgrade: undefined })).toBe(426);
  expect(await status(headersOf(one))).toBe(101);
});

test("[M56] an unreadable message closes the socket with what was read, and changes nothing", async () => {
  const mesh = newMesh();
  const member = await join(mesh, "node1");
  const send = async (frame: string | ArrayBuffer, first?: string) => {
    const agent = await Agent.dial(mesh, member.nodeId, member.credential);
    if (first !== undefined) agent.ws.send(first);
    agent.ws.send(frame);
    return agent.closed;
  };
  const hello = JSON.stringify({ type: "hello", node: machine("node1"), tasks: [] });
  expect(await send("garbage")).toEqual({
    code: 4400,
    reason: 'cannot read "garbage": frame: Invalid input: expected object, received undefined',
  });
  expect((await send('{"type":"nonsense"}', hello)).code).toBe(4400);
  expect(await send(new ArrayBuffer(7))).toEqual({
    code: 4400,
    reason: "a binary frame of 7 bytes: frames are JSON text",
  });
  expect((await send(`"${"x".repeat(1_100_000)}"`)).reason).toContain("a frame of 1100002 bytes");
  expect(await send(JSON.stringify({ type: "leaving" }))).toEqual({
    code: 4400,
    reason: "leaving before hello",
  });
  expect((await mesh.events(0, 100)).filter(({ action }) => action === "node.refused")).toHaveLength(5);
});

test("[M36] a report about another node's task closes the socket and does not count", async () => {
  const mesh = newMesh();
  const [one, two] = [await Agent.member(mesh, "node1"), await Agent.member(mesh, "node2")];
  await mesh.createService(input("my-web"), "operator");
  const [task] = await tasks(mesh);
  const otherAgent = task?.nodeId === one.nodeId ? two : one;
  otherAgent.report({ id: task?.id ?? "", state: "failed" });
  expect(await otherAgent.closed).toMatchObject({ code: 4400 });
  expect(await tasks(mesh)).toEqual([task]);
});

test("[M57] a newer socket of a node replaces the older one, which is closed, and the node stays ready", async () => {
  const mesh = newMesh();
  const member = await join(mesh, "node1");
  const first = await Agent.dial(mesh, member.nodeId, member.credential);
  await first.hello("node1");
  const second = await Agent.dial(mesh, member.nodeId, member.credential);
  expect(await first.closed).toMatchObject({ code: 4409 });
  await second.hello("node1");
  advanceClock(14_000);
  await runDurableObjectAlarm(mesh);
  expect(await mesh.nodes()).toMatchObject([{ state: "ready" }]);
  await mesh.createService(input("my-web"), "operator");
  expect((await second.assignment(2)).tasks).toHaveLength(1);
});

test("[M41] a closed socket is recorded and sets the alarm, without a request", async () => {
  const mesh = newMesh();
  const agent = await Agent.member(mesh, "node1");
  agent.ws.close(1000, "off");
  await until("the close to be recorded", () =>
    runInDurableObject(
      mesh,
      (_object, { storage }) => storage.sql.exec("SELECT * FROM connections").toArray().length === 1,
    ),
  );
  advanceClock(15_100);
  await runDurableObjectAlarm(mesh);
  expect(await mesh.nodes()).toMatchObject([{ state: "down", message: "heartbeat failure" }]);
});

test("[M46] the socket of a node removed by force is closed as not a member's, and it cannot dial again", async () => {
  const mesh = newMesh();
  const member = await join(mesh, "node1");
  const agent = await Agent.dial(mesh, member.nodeId, member.credential);
  await agent.hello("node1");
  await mesh.removeNode("node1", true, "operator");
  expect(await agent.closed).toMatchObject({ code: 4401 });
  expect((await upgrade(mesh, headersOf(member))).status).toBe(401);
});

test("[M58] a watcher gets the events that it missed, the version of the table, then each event as it happens", async () => {
  const mesh = newMesh();
  await mesh.createService(input("first"), "operator");
  const last = (await mesh.events(0, 100)).length;
  await mesh.createService(input("second"), "operator");
  const answer = await mesh.fetch(`http://mesh/mesh/watch?since=${last}`, {
    headers: { upgrade: "websocket" },
  });
  const frames: { type: string; event?: { action: string; subject: { name: string } }; version?: number }[] =
    [];
  answer.webSocket?.accept();
  answer.webSocket?.addEventListener("message", ({ data }) => {
    frames.push(JSON.parse(String(data)));
  });
  const { version } = await mesh.table(0);
  await until("what was missed", () => frames.some(({ type }) => type === "table"));
  expect(frames[0]).toMatchObject({
    type: "event",
    event: { action: "service.create", subject: { name: "second" } },
  });
  expect(frames.at(-1)).toEqual({ type: "table", version });
  await evictDurableObject(mesh);
  await mesh.createService(input("third"), "operator");
  await until("the new version", () => frames.some((frame) => frame.version === version + 1));
  expect(frames.find(({ event }) => event?.subject.name === "third")).toBeDefined();
});

test("[G63] closing a session closes its sockets, and no others", async () => {
  const mesh = newMesh();
  const closed: string[] = [];
  const watch = async (name: string, query: string) => {
    const answer = await mesh.fetch(`http://mesh/mesh/watch${query}`, { headers: { upgrade: "websocket" } });
    const socket = answer.webSocket;
    socket?.accept();
    socket?.addEventListener("close", ({ code, reason }) => closed.push(`${name} ${code} ${reason}`));
  };
  await watch("first tab", "?session=a");
  await watch("second tab", "?session=a");
  await watch("other session", "?session=b");
  await watch("command", "");
  await mesh.closeSession("a");
  await until("two sockets to close", () => closed.length === 2);
  await mesh.closeSession("b");
  await until("a third one to close", () => closed.length === 3);
  expect(closed.toSorted()).toEqual(
    ["first tab", "other session", "second tab"].map((name) => `${name} 1008 the session has ended`),
  );
});

test("[M58] a watcher with a wrong since is refused", async () => {
  const answer = await newMesh().fetch("http://mesh/mesh/watch?since=-1", {
    headers: { upgrade: "websocket" },
  });
  expect(answer.status).toBe(400);
});

type Mesh = ReturnType<typeof env.REGISTRY.getByName>;

function newMesh() {
  meshCount += 1;
  return env.REGISTRY.getByName(`mesh ${meshCount}`);
}

/** A new stub: a reset may have broken the old one. */
function newStub(mesh: Mesh): Mesh {
  return env.REGISTRY.get(mesh.id);
}

/** Advances Date.now by `ms`. Sockets, alarms and storage use the real clock. */
function advanceClock(ms: number): void {
  vi.spyOn(Date, "now").mockImplementation(() => originalNow() + ms);
}

class Agent {
  readonly ws: WebSocket;
  readonly nodeId: string;
  readonly received: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(ws: WebSocket, nodeId: string) {
    this.ws = ws;
    this.nodeId = nodeId;
    ws.addEventListener("message", ({ data }) => {
      this.received.push(String(data));
    });
    this.closed = new Promise((resolve) => {
      ws.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    });
    ws.accept();
  }

  static async dial(mesh: Mesh, nodeId: string, credential: string): Promise<Agent> {
    const { status, webSocket } = await upgrade(mesh, headersOf({ nodeId, credential }));
    if (webSocket === null) throw new Error(`the upgrade was answered ${status}`);
    return new Agent(webSocket, nodeId);
  }

  static async member(mesh: Mesh, hostname: string): Promise<Agent> {
    const { nodeId, credential } = await join(mesh, hostname);
    const agent = await Agent.dial(mesh, nodeId, credential);
    await agent.hello(hostname);
    return agent;
  }

  async hello(hostname: string): Promise<void> {
    this.ws.send(JSON.stringify({ type: "hello", node: machine(hostname), tasks: [] }));
    await this.assignment(1);
  }

  report(task: Pick<TaskReport, "id" | "state">): void {
    const endpoints = task.state === "running" ? [{ target: 80, origin: "http://127.0.0.2:40080" }] : [];
    const report = {
      message: "",
      err: "",
      atMs: 1,
      endpoints,
      health: null,
      pid: null,
      exitCode: null,
      ...task,
    };
    this.ws.send(JSON.stringify({ type: "report", tasks: [report] }));
  }

  /** The assignment with this index. */
  assignment(index: number): Promise<Assignment> {
    return this.assignmentWith((assignment) => assignment.index === index);
  }

  assignmentWith(isWanted: (assignment: Assignment) => boolean): Promise<Assignment> {
    return until("the assignment", () =>
      this.received
        .filter((frame) => frame.startsWith("{"))
        .map((frame) => JSON.parse(frame) as Assignment)
        .find(isWanted),
    );
  }
}

function upgrade(mesh: Mesh, headers: Record<string, string | undefined>): Promise<Response> {
  const present = Object.entries(headers).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return mesh.fetch("http://mesh/mesh/agent", { headers: Object.fromEntries(present) });
}

function headersOf({ nodeId, credential }: { nodeId: string; credential: string }): Record<string, string> {
  return {
    upgrade: "websocket",
    authorization: `Bearer ${credential}`,
    "x-waggle-node": nodeId,
    "x-waggle-protocol": "3",
  };
}

async function join(mesh: Mesh, hostname: string) {
  const { worker: token } = await mesh.joinTokens();
  return value(await mesh.join({ token, ...machine(hostname) }));
}

async function tasks(mesh: Mesh): Promise<readonly Task[]> {
  return value(await mesh.tasks({}));
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

function machine(hostname: string) {
  return {
    hostname,
    address: "127.0.0.2",
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 4e9, memoryBytes: 8e9 },
    gateway: { port: 7946, tls: false },
    engineVersion: "0.1.0",
    runtime: "process" as const,
  };
}

function input(name: string): { spec: ServiceSpec; document: unknown } {
  const spec = aSpec({ name, replicas: 1, ports: [{ target: 80, mode: "ingress" }] });
  return { spec, document: { Name: name } };
}
