// The benchmark of the registry in meshes of three sizes: its real classes, on SQLite in memory. A mesh is filled
// with rows, as an earlier process wrote them; the registry starts on them and settles once. Then single events
// are measured.

import { writeFileSync } from "node:fs";
import { jitteredBackoffMs } from "../../src/agent/backoff.ts";
import type { MeshNode } from "../../src/domain/model/node.ts";
import type { Service } from "../../src/domain/model/service.ts";
import type { Task } from "../../src/domain/model/task.ts";
import type { TaskReport } from "../../src/protocol/agent.ts";
import { nodeGraceMs, redialWindowMs } from "../../src/registry/liveness.ts";
import { saveWorld } from "../../src/registry/world-rows.ts";
import { aNode, aService, aTask, aWorld, healthy } from "../support/world.ts";
import { machine, TestMesh, type TestNode } from "../unit/registry/harness.ts";
import { distributionRows } from "./distribution.ts";
import { printRows } from "./report.ts";

type MeshSize = { readonly nodes: number; readonly services: number; readonly tasks: number };

const usualSizes: readonly MeshSize[] = [
  { nodes: 100, services: 10, tasks: 1_000 },
  { nodes: 1_000, services: 100, tasks: 10_000 },
  { nodes: 10_000, services: 1_000, tasks: 100_000 },
];
/** The results of `--record`, for the pictures of docs/scaling.md. */
const recordFile = new URL("../../infra/cost/results/scale.json", import.meta.url);
/** Runs of each event, after some that warm up. */
const runs = 100;
const warmUpRuns = 20;
/** In the place of a time: a task fails only once. */
const tooFewTasks = "–";
/** What the platform takes for a request, a new socket or a frame besides the registry, an assumption. */
const platformMs = 1;

export type ScaleOptions = {
  /** Sizes as `NODES/SERVICES/TASKS`; without any, those of docs/scaling.md. */
  readonly sizes: readonly string[];
  /** Writes the results to a file, too. */
  readonly isRecorded: boolean;
};

/** Measures the events in a mesh of each size and prints one column for each. @throws Error for an unreadable size */
export async function benchScale(options: ScaleOptions): Promise<void> {
  const sizes = options.sizes.length === 0 ? usualSizes : options.sizes.map(readSize);
  const columns: { readonly size: MeshSize; readonly rows: readonly Row[] }[] = [];
  for (const size of sizes) columns.push({ size, rows: await measureMesh(size) });
  if (options.isRecorded) record(columns);
  printRows(`Scale: CPU time, mean of ${runs} runs`, [
    [
      "nodes / services / tasks",
      ...columns.map(({ size }) => `${size.nodes} / ${size.services} / ${size.tasks}`),
    ],
    ...(columns[0]?.rows ?? []).map(({ name }, row) => [
      name,
      ...columns.map(({ rows }) => rows[row]?.text ?? ""),
    ]),
  ]);
}

type Row = { readonly name: string; readonly text: string };

type Column = { readonly size: MeshSize; readonly rows: readonly Row[] };

/** The tasks of a service spread evenly, so that their number is a multiple of the services'. */
function readSize(text: string): MeshSize {
  const [nodes = 0, services = 0, tasks = 0] = text.split("/").map(Number);
  if (/^\d{1,5}\/\d{1,5}\/\d{1,6}$/.test(text) && nodes > 0 && services > 0 && tasks >= services)
    if (tasks % services === 0) return { nodes, services, tasks };
  throw new Error(
    `cannot read --sizes "${text}": it is NODES/SERVICES/TASKS, such as 1000/100/10000, with as many tasks for each service`,
  );
}

function record(columns: readonly Column[]): void {
  const meshes = columns.map(({ size, rows }) => ({
    ...size,
    values: Object.fromEntries(
      rows.filter(({ text }) => text !== tooFewTasks).map(({ name, text }) => [name, Number(text)]),
    ),
  }));
  const recordedOn = new Date().toISOString().slice(0, 10);
  writeFileSync(recordFile, `${JSON.stringify({ recordedOn, meshes }, null, 2)}\n`);
}

/** An event that is prepared first, and then takes place in the measured time. */
type BenchEvent = (run: number) => () => unknown;

async function measureMesh(size: MeshSize): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const emptyMiB = heapMiB();
  const nodes = nodesOf(size);
  const mesh = filledMesh(size, nodes);
  const add = (name: string, text: string) => rows.push({ name, text });
  const event = (name: string, prepare: BenchEvent) => add(name, measured(mesh, prepare));
  const ids = nodes.map(({ id }) => id);
  for (const id of ids) mesh.sockets.set(id, mesh.nowMs);
  add("start on saved rows, ms", elapsedMs(() => mesh.restart(ids)).toFixed(0));
  add("heap after the start, MiB", (heapMiB() - emptyMiB).toFixed(0));
  const tasks = mesh.tasks().filter(({ nodeId }) => nodeId !== null);
  const taskAt = (run: number) => tasks[(run * 37) % tasks.length] as Task;
  const report = (task: Task, change: Partial<TaskReport>) => () => mesh.report(task, change);
  const unhealthy = { ...healthy, verdict: "unhealthy" as const, sinceMs: mesh.nowMs };
  add("first change after the start, ms", elapsedMs(report(taskAt(0), { health: unhealthy })).toFixed(0));
  event("a report that changes nothing, ms", (run) => report(taskAt(run + 1), asKnown(taskAt(run + 1))));
  const unhealthyTasks = new Set([taskAt(0).id]);
  event("a task turns unhealthy, ms", (run) => {
    const task = taskAt(run + 150);
    // In a small mesh the same task is next again, and turns healthy.
    const turnsBack = unhealthyTasks.delete(task.id);
    if (!turnsBack) unhealthyTasks.add(task.id);
    return report(task, { ...asKnown(task), health: turnsBack ? healthy : unhealthy });
  });
  const failure = "a task fails and is replaced, ms";
  if (tasks.length < warmUpRuns + runs) add(failure, tooFewTasks);
  else event(failure, (run) => report(taskAt(run + 300), { state: "failed", err: "exit 1" }));
  event("a hello that changes nothing, ms", (run) => {
    const node = nodes[run % nodes.length] as MeshNode;
    const own = mesh.registry.tasks({ nodes: [node.id] });
    const reports = (own.ok ? own.value : [])
      .filter(({ state }) => state === "running")
      .map((task) => mesh.reportOf(task, asKnown(task)));
    return () => mesh.hello(testNode(node), reports);
  });
  rows.push(...(await distributionRows(mesh, [taskAt(500), taskAt(501)])));
  event("a check of heartbeats, ms", () => () => mesh.registry.agents.checkHeartbeats(mesh.sockets));
  tasks.length = 0;
  for (const [name, text] of resetRows(mesh, nodes)) add(name, text);
  add("heap, MiB", (heapMiB() - emptyMiB).toFixed(0));
  event("the whole table as text, ms", () => () => mesh.registry.table(0));
  add("the whole table, bytes", String(tableBytes(mesh)));
  return rows;
}

function tableBytes(mesh: TestMesh): number {
  return Buffer.byteLength(mesh.registry.table(0).text ?? "");
}

/**
 * A reset of the registry in a model of its thread: agents redial over the window that assignments have, routers
 * poll, the alarm runs when it is due, and each waits for those before it. What the registry does takes its
 * measured time, what the platform adds is `platformMs` for each.
 */
function resetRows(mesh: TestMesh, nodes: readonly MeshNode[]): readonly (readonly [string, string])[] {
  const reportsOf = Map.groupBy(
    mesh.tasks().filter(({ state }) => state === "running"),
    ({ nodeId }) => nodeId ?? "",
  );
  const agents = nodes.map(testNode);
  const startMs = mesh.nowMs;
  let freeAtMs = startMs;
  const run = (arrivalMs: number, work: () => unknown): number => {
    mesh.nowMs = Math.max(arrivalMs, freeAtMs);
    freeAtMs = mesh.nowMs + elapsedMs(work) + platformMs;
    mesh.registry.takeEffects();
    return freeAtMs - arrivalMs;
  };
  const startTakesMs = run(startMs, () => mesh.restart());
  const windowMs = Math.max(redialWindowMs(nodes.length), 250);
  const hellos = nodes.map((node, n) => {
    // Spread evenly in an order that is none of theirs: as random, and the same in each run.
    const random = ((n * 7_919) % nodes.length) / nodes.length;
    const atMs = startMs + jitteredBackoffMs(1, random, windowMs);
    const reports = (reportsOf.get(node.id) ?? []).map((task) => mesh.reportOf(task, asKnown(task)));
    return { atMs, work: () => mesh.hello(testNode(node), reports), kind: "hello" };
  });
  const polls = Array.from({ length: Math.ceil(windowMs / 100) }, (_, n) => ({
    atMs: startMs + startTakesMs + n * 100,
    work: () => mesh.registry.pollTable(`router${n % 50}`, 1_000_000),
    kind: "poll",
  }));
  let longestPollMs = 0;
  let heardAtMs = 0;
  for (const { atMs, work, kind } of [...hellos, ...polls].sort((a, b) => a.atMs - b.atMs)) {
    const deadlineMs = mesh.registry.nextDeadlineMs();
    if (deadlineMs !== null && deadlineMs <= freeAtMs) run(deadlineMs, () => mesh.ring(agents));
    const tookMs = run(atMs, work);
    if (kind === "poll") longestPollMs = Math.max(longestPollMs, tookMs);
    else heardAtMs = freeAtMs;
  }
  run(freeAtMs + nodeGraceMs, () => mesh.ring(agents));
  const down = mesh.registry.nodes().filter(({ state }) => state === "down").length;
  return [
    ["reset: until all agents are connected, s", ((heardAtMs - startMs) / 1_000).toFixed(1)],
    ["reset: longest poll, ms", longestPollMs.toFixed(0)],
    ["reset: nodes marked down", String(down)],
  ];
}

/** The mean time of an event. The clock of a thread's CPU time may be too coarse for a single one. */
function measured(mesh: TestMesh, prepare: BenchEvent): string {
  const works = Array.from({ length: warmUpRuns + runs }, (_, run) => prepare(run));
  for (const work of works.slice(0, warmUpRuns)) work();
  mesh.registry.takeEffects();
  const ms = elapsedMs(() => {
    for (const work of works.slice(warmUpRuns)) {
      work();
      mesh.registry.takeEffects();
    }
  });
  return (ms / runs).toFixed(2);
}

/** CPU time of this thread, so that other work on the machine counts little. */
function elapsedMs(work: () => unknown): number {
  const started = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1_000;
}

function heapMiB(): number {
  // Twice: the first run only finds what finalizers release.
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function testNode({ id, hostname, address }: MeshNode): TestNode {
  return { id, name: hostname, address, credential: "" };
}

/** What the registry knows of a task, as its agent reports it. */
function asKnown({ state, message, endpoints, health, pid }: Task): Partial<TaskReport> {
  return { state: state as TaskReport["state"], message, endpoints: [...endpoints], health, pid };
}

function nodesOf({ nodes }: MeshSize): readonly MeshNode[] {
  return Array.from({ length: nodes }, (_, n) => {
    const hostname = `node${n + 1}`;
    const address = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    return aNode({ id: idOf("n", n), ...machine(hostname, address), provenAddress: address, wasReady: true });
  });
}

/** A mesh whose database has all rows; its registry does not know them yet. */
function filledMesh(size: MeshSize, nodes: readonly MeshNode[]): TestMesh {
  const mesh = new TestMesh();
  const replicas = size.tasks / size.services;
  const services = Array.from({ length: size.services }, (_, n) => {
    const port = { target: 80, published: 10_000 + n, mode: "ingress" as const };
    return aService(
      {
        name: `service-${n + 1}`,
        replicas,
        ports: [port],
        labels: { "waggle.host": `s${n + 1}.example.com` },
      },
      { id: idOf("s", n) },
    );
  });
  const tasks = Array.from({ length: size.tasks }, (_, n): Task => {
    const service = services[n % size.services] as Service;
    const node = nodes[n % size.nodes] as MeshNode;
    const slot = Math.floor(n / size.services) + 1;
    const endpoints = [{ target: 80, origin: `http://${node.address}:${30_000 + (n % 10_000)}` }];
    return aTask(service, { id: idOf("t", n), slot, nodeId: node.id, endpoints, addresses: [] });
  });
  saveWorld(mesh.database, aWorld(), aWorld(nodes, services, tasks));
  return mesh;
}

function idOf(kind: string, number: number): string {
  return `${kind}${number.toString(36)}`.padStart(25, "0");
}
