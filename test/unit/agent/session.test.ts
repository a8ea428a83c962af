import { afterEach, beforeEach, expect, test } from "vitest";
import { Session } from "../../../src/agent/session.ts";
import { type Assignment, protocolVersion } from "../../../src/protocol/agent.ts";
import { assignedTask, FakeRegistry, joinToken, taskId } from "../../support/fake-registry.ts";
import { until } from "../../support/until.ts";

let registry: FakeRegistry;
let skippedMs: number;
let assignments: Assignment[];
let probed: string[];
let sessionAbort: AbortController;
let session: Session;
let sessionEnd: Promise<unknown>;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  skippedMs = 0;
  assignments = [];
  probed = [];
  sessionAbort = new AbortController();
  const membership = await join();
  session = new Session({
    url: registry.url,
    membership,
    joinToken: undefined,
    greeting: () => [{ type: "hello", node, tasks: [] }],
    onAssignment: (assignment) => assignments.push(assignment),
    onProbe: (taskIds) => probed.push(...taskIds),
    log: () => {},
    nowMs: () => Date.now() + skippedMs,
    random: () => 0,
  });
  sessionEnd = session.run(sessionAbort.signal);
  await until("the first assignment", () => assignments[0]);
});

afterEach(async () => {
  sessionAbort.abort();
  await sessionEnd;
  await registry.stop();
});

test("[N44] an agent that was frozen ignores messages from before and opens a new socket", async () => {
  expect(session.isCurrent()).toBe(true);
  skippedMs = 15_001;
  registry.assign([assignedTask("stale")]);
  registry.tasks = [assignedTask("fresh")];
  expect(session.isCurrent()).toBe(false);
  await until("a second hello", () => registry.ofType("hello")[1]);
  await until("an assignment", () => assignments[1]);
  expect(assignments.slice(1).map(({ tasks }) => tasks.map(({ id }) => id))).toEqual([[taskId("fresh")]]);
  expect(session.isCurrent()).toBe(true);
});

test("[N44] after a silence, a pong does not make the old assignment current", async () => {
  skippedMs = 14_000;
  registry.socket?.send("pong");
  await until("the pong to arrive", () => {
    skippedMs = 16_000;
    const current = session.isCurrent();
    skippedMs = 14_000;
    return current;
  });
  skippedMs = 40_000;
  registry.socket?.send("pong");
  expect(session.isCurrent()).toBe(false);
  await until("a second assignment", () => assignments[1]);
  expect(session.isCurrent()).toBe(true);
});

test("[N71] after the clock was set back nothing is current until the registry confirms it again", async () => {
  skippedMs = -30 * 60_000;
  expect(session.isCurrent()).toBe(false);
  registry.socket?.send("pong");
  await until("the pong to arrive", () => session.isCurrent());
  skippedMs -= 15_001;
  expect(session.isCurrent()).toBe(false);
});

test("[N47] an assignment without a higher index than the last one of its socket is ignored", async () => {
  const [first] = assignments;
  registry.socket?.send(JSON.stringify({ ...first, tasks: [assignedTask("old")] }));
  registry.assign([assignedTask("new")]);
  await until("the next assignment", () => assignments[1]);
  expect(assignments.slice(1).map(({ tasks }) => tasks[0]?.id)).toEqual([taskId("new")]);
});

const node = {
  hostname: "node1",
  address: "127.0.0.1",
  gateway: { port: 7946, tls: false },
  platform: { os: "linux", arch: "x86_64" },
  resources: { nanoCpus: 1, memoryBytes: 1 },
  engineVersion: "0",
  runtime: "process",
} as const;

async function join(): Promise<{ nodeId: string; credential: string }> {
  const body = JSON.stringify({ protocol: protocolVersion, token: joinToken, node });
  const response = await fetch(`${registry.url}/mesh/join`, { method: "POST", body });
  return (await response.json()) as { nodeId: string; credential: string };
}

test("[V9] a session passes on probe requests", async () => {
  registry.socket?.send(JSON.stringify({ type: "probe", taskIds: ["a".repeat(25)] }));
  await until("the probe", () => probed[0]);
  expect(probed).toEqual(["a".repeat(25)]);
});
