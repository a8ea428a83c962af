// Broken worlds, each with the verdict of the dashboard's header, of the problems API and of `waggle status --check`.

import { afterEach, expect, test } from "vitest";
import { controlApp } from "../../../src/control/app.ts";
import { unwrap } from "../../../src/domain/model/error.ts";
import type { ClosedPort } from "../../../src/domain/model/node-listeners.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import type { MeshStatus } from "../../../src/protocol/status.ts";
import { serve, type TestServer } from "../../support/serve.ts";
import { aCheckedServer } from "../../support/servers.ts";
import { runCli } from "../cli/support.ts";
import { input, type TestMesh } from "../registry/harness.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { operatorToken, TestDashboard } from "./support.ts";

/** A mesh of two nodes, with its dashboard and its control API. */
class World {
  closedPorts: readonly ClosedPort[] = [];
  readonly dashboard: TestDashboard;
  readonly mesh: TestMesh;
  #seq = 0;

  constructor(nodes = 2) {
    this.dashboard = new TestDashboard(nodes, { closedPorts: async () => this.closedPorts });
    this.mesh = this.dashboard.mesh;
  }

  /** Counts requests to a service, of which some fail, all at one target. */
  traffic(service: string, requests: number, failed: number, targetId?: string, retried = false): void {
    const found = unwrap(this.mesh.registry.service(service));
    const [node] = this.mesh.registry.nodes();
    const [task] = this.mesh.tasks(service);
    const counts = { requests, responses2xx: requests - failed, responses5xx: failed };
    const about = {
      service: { id: found.id, name: service },
      node: { id: node?.id ?? "", name: node?.hostname ?? "" },
    };
    const target = targetId ?? task?.id ?? "";
    const ofTarget = { id: target, name: target, serviceId: found.id, serviceName: service };
    this.#seq += 1;
    const seen = retried ? { requests, responses2xx: requests } : counts;
    const report = delta(this.#seq, {
      entries: [entryDelta(seen, [], about)],
      tasks: [taskDelta({ ...counts, attempts: requests }, [], ofTarget)],
    });
    expect(this.dashboard.telemetry.count(report)).toEqual({ ok: true, value: true });
  }

  server(service: string, name: string): string {
    const spec = aCheckedServer({ name });
    return unwrap(this.mesh.registry.addServer(service, { spec, admin: "ready" }, "operator")).id;
  }

  /** The probers find these servers down. */
  serversDown(): void {
    const last = { word: "L4CON", code: null, durationMs: 3 } as const;
    const list = this.mesh.registry.reportProbes("weur", "", []);
    const reports = (list?.targets ?? []).map(({ serverId, epoch }) => ({
      serverId,
      epoch,
      counter: 0,
      fails: 1,
      last,
    }));
    this.mesh.registry.reportProbes("weur", list?.hash ?? "", reports);
  }

  update(name: string, change: Parameters<typeof input>[1]): void {
    const { version } = unwrap(this.mesh.registry.service(name));
    unwrap(this.mesh.registry.updateService(name, version, input(name, change), "operator"));
  }
}

const missing = "No such image: nope:1";
const nope = { ...input("my-web").spec.run, image: "nope:1" };
const replicas = (count: number) => ({ mode: { kind: "replicated", replicas: count } }) as const;
const published = (port: number) => ({ ports: [{ target: 80, published: port, mode: "ingress" as const }] });

/** Agents reject each task of the missing image, and run the others. */
function runAgents({ mesh }: World, passes = 3): void {
  for (let pass = 0; pass < passes; pass += 1) {
    for (const task of mesh.tasks().filter(isStarting)) {
      mesh.report(task, task.run.image === "nope:1" ? { state: "rejected", err: missing } : {});
    }
    mesh.pass(40_000);
  }
}

function isStarting({ nodeId, state, desired }: Task): boolean {
  return nodeId !== null && desired === "running" && state === "assigned";
}

function unhealthy(mesh: TestMesh, task: Task, lastCheck: string): void {
  const streak = { ok: false, length: 3 };
  mesh.report(task, {
    health: { verdict: "unhealthy", streak, sinceMs: mesh.nowMs, lastCheck, rise: 2, fall: 3 },
  });
}

type Row = {
  readonly name: string;
  readonly nodes?: number;
  readonly make: (world: World) => void;
  readonly severity: "ok" | "warn" | "bad";
  /** `what: why` of each problem. */
  readonly problems: readonly RegExp[];
  /** Part of the advice of the first problem. */
  readonly next?: string;
};

const worlds: readonly Row[] = [
  {
    name: "no node",
    nodes: 0,
    make: () => undefined,
    severity: "bad",
    problems: [/^mesh test: no node has joined/],
  },
  { name: "no service", make: () => undefined, severity: "ok", problems: [] },
  {
    name: "a healthy service",
    make: ({ mesh }) => {
      mesh.service("my-web", { ...replicas(2), ...published(8080) });
      mesh.work();
    },
    severity: "ok",
    problems: [],
  },
  {
    name: "ten tasks for one missing image",
    make: (world) => {
      world.mesh.service("my-web", { ...replicas(10), run: nope });
      runAgents(world);
    },
    severity: "bad",
    problems: [
      /^service my-web: 0 of 10 tasks running; my-web\.\d+, my-web\.\d+, my-web\.\d+ and 7 more rejected: No such image: nope:1; \d failures in a row$/,
    ],
    next: "Correct the image, nope:1: `waggle service update --image IMAGE my-web`",
  },
  {
    name: "a published port that another program holds",
    make: (world) => {
      world.mesh.service("my-web", published(8080));
      world.mesh.work();
      const why = "another process on this machine listens there; retrying until the port can be opened";
      world.closedPorts = [
        { owner: "balancer", address: "127.0.0.1", port: 8080, why, sinceMs: world.mesh.nowMs },
        { owner: "node1", address: "127.0.0.2", port: 8080, why, sinceMs: world.mesh.nowMs },
      ];
    },
    severity: "bad",
    problems: [/^port 8080: not open at balancer and node1: another process on this machine listens there/],
    next: "Stop the process that listens there, or publish another port.",
  },
  {
    name: "a published port that one node cannot open",
    make: (world) => {
      world.mesh.service("my-web", published(8080));
      world.mesh.work();
      const why = "another process on this machine listens there";
      world.closedPorts = [{ owner: "node1", address: "127.0.0.2", port: 8080, why, sinceMs: 0 }];
    },
    severity: "warn",
    problems: [/^port 127\.0\.0\.2:8080 of node1: not open/],
  },
  {
    name: "a task whose port another program holds",
    make: ({ mesh }) => {
      mesh.service("my-web");
      for (const task of mesh.tasks("my-web").filter(isStarting)) {
        const err = "task: non-zero exit (1): another program holds its port";
        mesh.report(task, { state: "failed", err, exitCode: 1 });
      }
    },
    severity: "bad",
    problems: [/^service my-web: 0 of 1 task running; my-web\.1 failed: .*another program holds its port/],
    next: "Another program holds the port on node1: stop it there",
  },
  {
    name: "a task that fails its checks",
    make: ({ mesh }) => {
      mesh.service("my-web", replicas(2));
      mesh.work();
      for (const task of mesh.tasks("my-web").slice(0, 1)) unhealthy(mesh, task, "L7STS/503 in 2ms");
    },
    severity: "warn",
    problems: [/^task my-web\.1: unhealthy: L7STS\/503 in 2ms \(DOWN\)$/],
    next: "`waggle logs my-web`",
  },
  {
    name: "all tasks that fail their checks, after different times",
    make: ({ mesh }) => {
      mesh.service("my-web", replicas(2));
      mesh.work();
      for (const [index, task] of mesh.tasks("my-web").entries())
        unhealthy(mesh, task, `L4CON in ${index}ms`);
    },
    severity: "bad",
    problems: [/^service my-web: my-web\.1 and my-web\.2 unhealthy: L4CON in 0ms \(DOWN\)$/],
  },
  {
    name: "tasks that are all in maint",
    make: ({ mesh }) => {
      mesh.service("my-web");
      mesh.work();
      const [task] = mesh.tasks("my-web");
      unwrap(mesh.registry.setAdmin({ kind: "task", ref: task?.id ?? "" }, "maint", "operator"));
    },
    severity: "bad",
    problems: [/^service my-web: none of its 1 task can take a request: 1 in drain or maint$/],
  },
  {
    name: "a task that ended and may not start again",
    make: ({ mesh }) => {
      mesh.service("my-web", { restart: { condition: "none", maxAttempts: 0, windowMs: 0 } });
      mesh.work();
      const [task] = mesh.tasks("my-web");
      if (task !== undefined) mesh.report(task, { state: "complete", message: "finished", exitCode: 0 });
    },
    severity: "bad",
    problems: [/^service my-web: 0 of 1 task running; my-web\.1 complete: finished$/],
    next: "`waggle service update --force my-web`",
  },
  {
    name: "a node that is down",
    make: ({ mesh }) => {
      mesh.service("my-web");
      mesh.work();
      const [, second] = mesh.nodes.values();
      mesh.send(second?.id ?? "", { type: "goodbye", reason: "" });
      mesh.work();
    },
    severity: "warn",
    problems: [/^node node2: down: left$/],
  },
  {
    name: "static servers that are all down",
    make: (world) => {
      world.mesh.service("legacy", replicas(0));
      for (const name of ["a", "b"]) world.server("legacy", name);
      world.serversDown();
    },
    severity: "bad",
    problems: [/^service legacy: 2 of 2 static servers down: L4CON in 3ms \(a and b\)$/],
  },
];

const rollouts: readonly Row[] = [
  {
    name: "a paused update, which left the old tasks running",
    make: (world) => {
      world.mesh.service("my-web", { ...replicas(2), ...published(8080) });
      world.mesh.work();
      world.update("my-web", { ...replicas(2), ...published(8080), run: nope });
      runAgents(world);
    },
    severity: "warn",
    problems: [
      /^service my-web: update paused due to failure or early termination of task \w+; my-web\.\d rejected: No such image: nope:1; \d failures in a row$/,
    ],
    next: "Correct the image",
  },
  {
    name: "an update whose new tasks fail while it goes on",
    make: (world) => {
      const update = { parallelism: 1, order: "start-first", failureAction: "continue" } as const;
      world.mesh.service("my-web", { ...replicas(2), update });
      world.mesh.work();
      world.update("my-web", { ...replicas(2), update, run: nope });
      runAgents(world, 1);
    },
    severity: "warn",
    problems: [/^task my-web\.\d: rejected: No such image: nope:1$/],
  },
  {
    name: "an update that was rolled back",
    make: (world) => {
      const update = { parallelism: 1, order: "start-first", failureAction: "rollback" } as const;
      world.mesh.service("my-web", { ...replicas(2), update });
      world.mesh.work();
      world.update("my-web", { ...replicas(2), update, run: nope });
      runAgents(world, 6);
      expect(unwrap(world.mesh.registry.service("my-web")).update?.state).toBe("rollback_completed");
    },
    severity: "warn",
    problems: [/^service my-web: the last update failed and was rolled back: No such image: nope:1$/],
    next: "to keep the version that runs: `waggle service update my-web`",
  },
];

const placements: readonly Row[] = [
  {
    name: "a constraint that no node meets",
    make: ({ mesh }) => {
      mesh.service("my-web", { constraints: ["node.labels.zone==east"] });
      mesh.work();
    },
    severity: "bad",
    problems: [
      /^service my-web: 0 of 1 task running; my-web\.1 pending: no suitable node: node1 and node2 do not meet node\.labels\.zone==east$/,
    ],
    next: "`waggle node update --label-add zone=east node1`, or remove the constraint: `waggle service update --constraint-rm 'node.labels.zone==east' my-web`",
  },
  {
    name: "a constraint that no node meets, of a global service",
    make: ({ mesh }) => {
      mesh.service("my-web", { mode: { kind: "global" }, constraints: ["node.role==manager"] });
      mesh.work();
    },
    severity: "warn",
    problems: [/^service my-web: no node can run a task: node1 and node2 do not meet node\.role==manager$/],
  },
  {
    name: "a reservation that no node has",
    make: ({ mesh }) => {
      mesh.service("my-web", { reservations: { nanoCpus: 64e9, memoryBytes: 0 } });
      mesh.work();
    },
    severity: "bad",
    problems: [
      /my-web\.1 pending: no suitable node: node1 and node2 have \d+ CPUs free of \d+, and a task reserves 64$/,
    ],
    next: "Reserve less: `waggle service update --reserve-cpu … my-web`, or add a larger node.",
  },
  {
    name: "a drained node and one without the label",
    make: ({ mesh }) => {
      const change = { availability: "drain", role: "worker", labels: { zone: "east" } } as const;
      mesh.registry.updateNode("node1", 1, change, "operator");
      mesh.service("my-web", { constraints: ["node.labels.zone==east"] });
      mesh.work();
    },
    severity: "bad",
    problems: [/no suitable node: node1 is drained; node2 does not meet node\.labels\.zone==east$/],
    next: "Activate it: `waggle node update --availability active node1`.",
  },
  {
    name: "a host-mode port that each node has given away",
    make: ({ mesh }) => {
      mesh.service("my-web", {
        ...replicas(3),
        ports: [{ target: 80, published: 8080, mode: "host" as const }],
      });
      mesh.work();
    },
    severity: "warn",
    problems: [
      /2 of 3 tasks running; my-web\.\d pending: .*node1 and node2 have a task at host-mode port 8080/,
    ],
    next: "Only one task on each node can have the port",
  },
];

const traffics: readonly Row[] = [
  {
    name: "one error of two requests",
    make: (world) => {
      world.mesh.service("my-web");
      world.mesh.work();
      world.traffic("my-web", 2, 1);
    },
    severity: "ok",
    problems: [],
  },
  {
    name: "one error in ten requests, a few requests a minute",
    make: (world) => {
      world.mesh.service("my-web");
      world.mesh.work();
      for (let minute = 0; minute < 8; minute += 1) {
        world.traffic("my-web", 10, 1);
        world.mesh.nowMs += 60_000;
      }
    },
    severity: "warn",
    problems: [/^service my-web: 10 % of its requests fail: 8 of 80 in the last 8 min, at my-web\.1$/],
  },
  {
    name: "most requests that fail, at one of two tasks",
    make: (world) => {
      world.mesh.service("my-web", replicas(2));
      world.mesh.work();
      world.traffic("my-web", 40, 30);
    },
    severity: "bad",
    problems: [/^service my-web: 75 % of its requests fail: 30 of 40 in the last \d+ s, at my-web\.1$/],
  },
  {
    name: "a server whose failures other servers make good",
    make: (world) => {
      world.mesh.service("my-web", replicas(2));
      world.mesh.work();
      world.traffic("my-web", 40, 30, undefined, true);
    },
    severity: "warn",
    problems: [/^task my-web\.1: 75 % of its attempts fail: .*; other targets take its requests$/],
  },
];

let server: TestServer | null = null;
afterEach(async () => {
  await server?.stop();
  server = null;
});

test.each(worlds)("[G75][G74] with $name the dashboard, the API and status --check agree", expectVerdict);
test.each(rollouts)("[G77][G74] after $name the dashboard, the API and status --check agree", expectVerdict);
test.each(placements)("[G76][G74] with $name the dashboard, the API and status --check agree", expectVerdict);
test.each(traffics)("[G78][G74] with $name the dashboard, the API and status --check agree", expectVerdict);

async function expectVerdict(row: Row): Promise<void> {
  const world = new World(row.nodes ?? 2);
  row.make(world);
  const { mesh, dashboard } = world;
  await dashboard.signIn();
  const { text } = await dashboard.ask("GET /dashboard/");
  const [, severity] = /class="health is-(\w+)"/.exec(text) ?? [];

  const app = controlApp({
    mesh: mesh.registry,
    telemetry: dashboard.telemetry,
    counters: dashboard.telemetry,
    operatorToken,
    entrySettings: { domain: "", balancerPort: 8000 },
    closedPorts: async () => world.closedPorts,
    now: () => mesh.nowMs,
    newId: () => "id",
    dialGateway: async () => new Response(null, { status: 503 }),
    forward: async () => new Response(null, { status: 503 }),
  });
  server = await serve((request) => app.fetch(request, { client: null }));
  const env = { WAGGLE_HOST: `http://${server.host}`, WAGGLE_TOKEN: operatorToken };
  const checked = await runCli(["status", "--check"], { env });
  const { problems } = JSON.parse((await runCli(["status", "--json"], { env })).out) as MeshStatus;

  const found = problems.map(({ what, why }) => `${what}: ${why}`);
  expect(found).toEqual(row.problems.map((pattern) => expect.stringMatching(pattern)));
  expect({ severity, code: checked.code }).toEqual({
    severity: row.severity,
    code: row.severity === "ok" ? 0 : 1,
  });
  expect(problems.some((problem) => problem.severity === "bad")).toBe(row.severity === "bad");
  if (row.next !== undefined) expect(problems[0]?.next).toContain(row.next);
}
