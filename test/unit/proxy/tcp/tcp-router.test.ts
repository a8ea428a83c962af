import { expect, test } from "vitest";
import type {
  RoutingTable,
  TableOptions,
  TableService,
  TableTask,
} from "../../../../src/domain/table/table.ts";
import { noRouteFailure } from "../../../../src/ingress/refusals.ts";
import { type ConnectFailure, type TcpChoice, TcpRouter } from "../../../../src/proxy/tcp/tcp-router.ts";
import { countsByName } from "../../../../src/telemetry/counters.ts";
import { addSparse } from "../../../../src/telemetry/metrics.ts";

const gateway = { transport: "direct", base: "http://127.0.0.2:7946" } as const;
const node = { id: "n1", name: "node1", up: true, address: "127.0.0.2", gateway, hosts: [] };

const task = (id: string, more: Partial<TableTask> = {}): TableTask => ({
  id,
  slot: 1,
  nodeId: "n1",
  weight: 1,
  endpoints: [[6379, null]],
  ...more,
});

function table(
  tasks: readonly TableTask[],
  { options, version = 1, ...more }: Partial<TableService> & { version?: number } = {},
): RoutingTable {
  const service: TableService = {
    id: "s1",
    name: "redis",
    policy: "roundrobin",
    ports: [{ target: 6379, published: 6379, mode: "ingress" }],
    hosts: [],
    options: { mode: "tcp", ...options },
    tasks,
    ...more,
  };
  return { version, nodes: [node], services: [service], defaultService: null, signingKey: "k" };
}

const limited = (maxconn: number, more: TableOptions = {}): { options: TableOptions } => ({
  options: { maxconn, queueTimeoutMs: 100, ...more },
});

const noBytes = () => ({ received: 0, sent: 0 });

function routerOf(initial: RoutingTable): TcpRouter {
  const router = new TcpRouter(
    () => 0,
    () => 0,
    "this-process",
  );
  router.setTable(initial);
  return router;
}

const entry = { nodeId: "n1", port: 6379 };
const begin = (router: TcpRouter, client = "10.0.0.1") => router.choose(entry, client);

/** What the choice does next: a target's id, `wait`, or the reason for the end. */
function next(choice: TcpChoice, nowMs = 0): string {
  const step = choice.step(nowMs);
  return step.kind === "connect" ? step.target.taskId : step.kind === "wait" ? "wait" : step.reason;
}

function idsOf(router: TcpRouter, count: number, client?: string): string[] {
  return Array.from({ length: count }, () => {
    const choice = begin(router, client);
    const id = next(choice);
    choice.connected(0, noBytes);
    choice.end();
    return id;
  });
}

test("[O163] connections are balanced by the service's policy", () => {
  const tasks = [task("a"), task("b"), task("c", { weight: 2 })];
  expect(idsOf(routerOf(table(tasks.slice(0, 2))), 4)).toEqual(["a", "b", "a", "b"]);
  expect(idsOf(routerOf(table(tasks)), 4).sort()).toEqual(["a", "b", "c", "c"]);
  const bySource = routerOf(table(tasks, { policy: "source" }));
  expect(new Set(idsOf(bySource, 5, "10.0.0.1")).size).toBe(1);
  const clients = Array.from({ length: 40 }, (_, at) => idsOf(bySource, 1, `10.0.0.${at}`)[0]);
  expect(new Set(clients).size).toBe(3);
});

test("[O163] leastconn counts the connections that are open", () => {
  const router = routerOf(table([task("a"), task("b")], { policy: "leastconn" }));
  const first = begin(router);
  expect(next(first)).toBe("a");
  expect(idsOf(router, 3)).toEqual(["b", "b", "b"]);
  first.end();
  expect(new Set(idsOf(router, 4))).toEqual(new Set(["a", "b"]));
});

test("[O164] a connection that no task got goes to each other task once", () => {
  const router = routerOf(table([task("a"), task("b"), task("c")]));
  const choice = begin(router);
  const failures: ConnectFailure[] = ["refused", "unreached", "full"];
  const ids = failures.map((failure) => {
    const id = next(choice);
    choice.failed(failure, 0);
    return id;
  });
  expect(ids.sort()).toEqual(["a", "b", "c"]);
  expect(next(choice)).toBe("no target of redis accepted the connection: 1 refused, 1 unreached, 1 full");
});

test("[O164] a task that refuses is ejected for a while, and one that is full is not", () => {
  const router = routerOf(table([task("a"), task("b"), task("c")]));
  const choice = begin(router);
  const refused = next(choice);
  choice.failed("refused", 0);
  const full = next(choice);
  choice.failed("full", 0);
  choice.end();
  const later = new Set(idsOf(router, 6));
  expect(later.has(refused)).toBe(false);
  expect(later.has(full)).toBe(true);
});

test("[O164] backups get connections if no other task accepts one, and tasks in drain get none", () => {
  const router = routerOf(table([task("a"), task("b", { backup: true }), task("c", { drain: true })]));
  const choice = begin(router);
  expect(next(choice)).toBe("a");
  choice.failed("refused", 0);
  expect(next(choice)).toBe("b");
  choice.failed("refused", 0);
  expect(next(choice)).toContain("no target of redis accepted the connection");
  expect(idsOf(routerOf(table([task("c", { drain: true })])), 1)).toEqual([
    "redis has only targets in drain or with weight 0",
  ]);
});

test("[O165] a connection whose tasks are gone waits for a newer table, for two seconds", () => {
  const router = routerOf(table([task("a")]));
  const [moved, lost] = [begin(router), begin(router)];
  for (const choice of [moved, lost]) {
    expect(next(choice)).toBe("a");
    choice.failed("gone", 0);
    expect(next(choice)).toBe("wait");
  }
  expect(next(lost, 2_000)).toBe("no target of redis accepted the connection: 1 gone");
  router.setTable(table([task("b")], { version: 2 }));
  expect(next(moved, 1_999)).toBe("b");
});

test("[O165] a connection to a port or service that does not exist ends with the reason", () => {
  const router = routerOf(table([]));
  expect(next(begin(router))).toBe("redis has no live task or server");
  expect(next(router.choose({ nodeId: "n1", port: 1 }, ""))).toBe(
    "no service in mode tcp is published on port 1",
  );
  expect(next(router.choose({ nodeId: "n9", port: 6379 }, ""))).toBe("this mesh has no node n9");
  expect(
    next(
      new TcpRouter(
        () => 0,
        () => 0,
        "this-process",
      ).choose(entry, ""),
    ),
  ).toContain("no service in mode tcp");
});

/** What a router has counted since the last call, by name. */
function counted(router: TcpRouter, nowMs: number) {
  router.traffic.refresh();
  const { tasks = [], entries = [] } = router.traffic.meter.take(nowMs) ?? {};
  const named = ({ counts, open }: (typeof tasks)[number] | (typeof entries)[number]) => {
    const dense = new Float64Array(40);
    addSparse(dense, counts);
    return {
      ...Object.fromEntries(Object.entries(countsByName(dense)).filter(([, count]) => count > 0)),
      open,
    };
  };
  return {
    entry: entries[0] && named(entries[0]),
    tasks: tasks.map((one) => ({ id: one.id, ...named(one) })),
  };
}

test("[O254] connections are counted with their bytes, at the service's entry and at the task", () => {
  const router = routerOf(table([task("a")]));
  const choice = begin(router);
  let bytes = { received: 0, sent: 0 };
  next(choice);
  choice.connected(0, () => bytes);
  bytes = { received: 10, sent: 300 };
  const first = { requests: 1, attempts: 1, bytesIn: 10, bytesOut: 300, open: 1 };
  expect(counted(router, 0)).toEqual({ entry: first, tasks: [{ id: "a", ...first }] });
  // Gauges of counters that were forgotten by a platform expire; those of open connections do not.
  for (let minute = 1; minute < 5; minute += 1) {
    expect(counted(router, minute * 60_000)).toMatchObject({ entry: { open: 1 }, tasks: [{ open: 1 }] });
  }
  bytes = { received: 11, sent: 300 };
  choice.end();
  expect(counted(router, 300_000)).toEqual({
    entry: { bytesIn: 1, open: 0 },
    tasks: [{ id: "a", bytesIn: 1, open: 0 }],
  });
  expect(counted(router, 301_000)).toEqual({ entry: undefined, tasks: [] });
});

test("[O254] failed attempts, refused connections and ejections are counted, and ejected tasks become suspect", () => {
  const router = routerOf(table([task("a"), task("b")]));
  const choice = begin(router);
  expect(next(choice)).toBe("a");
  choice.failed("refused", 0);
  expect(next(choice)).toBe("b");
  choice.failed("full", 0);
  expect(next(choice)).toContain("no target of redis accepted the connection");
  choice.end();
  const { entry: atEntry, tasks } = counted(router, 0);
  expect(atEntry).toEqual({
    requests: 1,
    attempts: 2,
    retries: 1,
    connectErrors: 2,
    ejections: 1,
    refusedConnections: 1,
    open: 0,
  });
  expect(tasks).toMatchObject([
    { id: "a", attempts: 1, connectErrors: 1, ejections: 1, open: 0 },
    { id: "b", attempts: 1, retries: 1, connectErrors: 1, open: 0 },
  ]);
  expect(router.traffic.suspects.due(0)).toEqual(["a"]);
});

test("[O166] a connection above maxconn waits for its turn, in the order of arrival", () => {
  const router = routerOf(table([task("a")], limited(1)));
  const [first, second, third] = [begin(router), begin(router), begin(router)];
  expect(next(first)).toBe("a");
  expect([next(second), next(third)]).toEqual(["wait", "wait"]);
  first.end();
  expect(next(third, 2)).toBe("wait");
  expect(next(second, 2)).toBe("a");
  // A connection that comes meanwhile does not overtake.
  const fourth = begin(router);
  second.end();
  expect(next(fourth, 4)).toBe("wait");
  expect(next(third, 4)).toBe("a");
});

test("[O166] a connection waits for queueTimeoutMs, and a full queue refuses more", () => {
  const router = routerOf(table([task("a")], limited(1, { queue: 1 })));
  const [first, second, third] = [begin(router), begin(router), begin(router)];
  next(first);
  expect(next(second)).toBe("wait");
  expect(next(third)).toBe("each target of redis has its maximum of connections, and its queue is full");
  third.end();
  expect(next(second, 99)).toBe("wait");
  expect(next(second, 100)).toContain("has its maximum of connections, and none ended in 100 ms");
  second.end();
  expect(router.queue.length("s1", 100)).toBe(0);
});

test("[O166] a client that leaves while it waits, or is connected, makes room for the next", () => {
  const router = routerOf(table([task("a")], limited(1)));
  const [first, second, third] = [begin(router), begin(router), begin(router)];
  next(first);
  next(second);
  next(third);
  second.end();
  first.end();
  expect(next(third, 2)).toBe("a");
  third.end();
  expect(router.state.openRequests.of("a", 3)).toBe(0);
});

test("[O167] an HTTP request matches no service in mode tcp, and a connection none in mode http", () => {
  const router = routerOf(table([task("a")]));
  const routes = router.routes;
  for (const host of ["redis", "redis.mesh.test"]) {
    expect(routes?.match({ port: 6379, host, path: "/" })).toBeNull();
    expect(routes?.match({ port: null, host, path: "/" })).toBeNull();
  }
  expect(routes && noRouteFailure({ port: 6379, host: "x", entryNode: null }, routes, null)).toEqual({
    status: 404,
    reason: "port 6379 is of redis in mode tcp, which gets no HTTP requests",
  });
  const http = {
    ...table([task("a")]),
    services: table([task("a")]).services.map((s) => ({ ...s, options: {} })),
  };
  const other = routerOf(http);
  expect(next(begin(other))).toBe("no service in mode tcp is published on port 6379");
});
