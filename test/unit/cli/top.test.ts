import { describe, expect, test } from "vitest";
import { applyKey, initialState, readKeys, type TopState } from "../../../src/cli/top/keys.ts";
import { shortLatency, shortPercent, shortRate, sparkline } from "../../../src/cli/top/numbers.ts";
import { colorPainter } from "../../../src/cli/top/paint.ts";
import { attemptCountsOf, buildReading } from "../../../src/cli/top/reading.ts";
import {
  filterRows,
  type RowMeasurements,
  sortRows,
  type TopReading,
  type TopRow,
} from "../../../src/cli/top/rows.ts";
import { plainScreen, screenLines } from "../../../src/cli/top/screen.ts";
import type { MeshStatus } from "../../../src/protocol/status.ts";
import type { MeshTrafficReport } from "../../../src/protocol/telemetry.ts";
import { serverToken, startControlServer } from "../../support/control-server.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { fakeMesh, runOn, serverStatus } from "./support.ts";

const esc = "\x1b";
const atMs = Date.parse("2026-11-24T12:00:00.000Z");

function measured(requests: number, errors = 0, p95Ms = 20, retries: number | null = 0): RowMeasurements {
  return { requestsPerSecond: requests, errorRatio: errors, p50Ms: 4.2, p95Ms, p99Ms: 1_240, retries };
}

function row(name: string, change: Partial<TopRow> = {}): TopRow {
  return {
    name,
    where: "node1",
    state: "running UP",
    tone: "ok",
    measured: measured(1),
    trend: [],
    ...change,
  };
}

const reading: TopReading = {
  mesh: "waggle",
  url: "http://127.0.0.1:8787",
  atMs,
  total: measured(54.25, 0.005),
  sections: {
    services: [
      row("my-web", {
        where: "8080",
        state: "2/2",
        measured: measured(12, 0, 900),
        trend: [0, 10, 20, 40, 80],
      }),
      row("api", { where: "9090", state: "1/3", tone: "warn", measured: measured(42.25, 0.12, 20, 1.5) }),
      row("idle", { where: "", state: "0/0", measured: null }),
    ],
    nodes: [row("node1", { where: "127.0.0.2", state: "ready" })],
    tasks: [
      row("api.2"),
      row("api.10"),
      row("my-web.1", { where: "node2", state: "running DOWN", tone: "bad" }),
    ],
  },
  problems: ["service api: 1 of 3 tasks run"],
  ageMs: 0,
  unmeasured: "",
};

const size = { columns: 100, rows: 30 };

function shown(state: Partial<TopState> = {}, at = size, notice = ""): readonly string[] {
  return screenLines(reading, { ...initialState, ...state }, at, undefined, notice).map((line) =>
    line.trimEnd(),
  );
}

/** The first words of the rows under a heading. */
function rowsUnder(lines: readonly string[], heading: string): readonly string[] {
  const firstRow = lines.findIndex((line) => line.startsWith(heading)) + 1;
  const rest = lines.slice(firstRow);
  return rest.slice(0, rest.indexOf("")).map((line) => line.split(" ")[0] ?? "");
}

describe("the screen", () => {
  test("[L30] it shows services, nodes and tasks with their traffic, and problems", () => {
    expect(shown().slice(0, 18).join("\n")).toBe(
      [
        "waggle top: waggle at http://127.0.0.1:8787, 12:00:00 UTC",
        "All requests: 54.3/s, 0.5 % errors, 0 retries/s, slowest: p50 4.2 ms, p95 20 ms, p99 1.2 s",
        "! service api: 1 of 3 tasks run",
        "",
        "SERVICE        PUBLISHED STATE    REQ/S↓   ERR%    P50    P95    P99  RETRY/S TREND",
        "api            9090      1/3        42.3   12.0    4.2     20   1.2s      1.5",
        "my-web         8080      2/2        12.0      0    4.2    900   1.2s        0             ▂▃▅█",
        "idle                     0/0           -      -      -      -      -        -",
        "",
        "NODE           ADDRESS   STATE    REQ/S↓   ERR%    P50    P95    P99  RETRY/S TREND",
        "node1          127.0.0.2 ready       1.0      0    4.2     20   1.2s        0",
        "",
        "TASK           NODE      STATE         REQ/S↓   ERR%    P50    P95    P99  RETRY/S TREND",
        "api.2          node1     running UP       1.0      0    4.2     20   1.2s        0",
        "api.10         node1     running UP       1.0      0    4.2     20   1.2s        0",
        "my-web.1       node2     running DOWN     1.0      0    4.2     20   1.2s        0",
        "",
        "",
      ].join("\n"),
    );
    expect(shown().at(-1)).toMatch(/^q quit/);
  });

  test.each([
    [100, 30],
    [60, 10],
    [30, 4],
    [1, 1],
  ])("[L30] it fits into %i columns and %i rows", (columns, rows) => {
    const lines = screenLines(reading, initialState, { columns, rows });
    expect(lines).toHaveLength(rows);
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(columns);
  });

  test("[L30] a narrow terminal keeps names, states, rates and errors", () => {
    const [heading] = shown({ view: "services" }, { columns: 44, rows: 12 }).filter((line) =>
      /^SERV/.test(line),
    );
    expect(heading).toBe("SERVICE        STATE    REQ/S↓   ERR%    P95".slice(0, heading?.length));
    expect(heading).toMatch(/REQ\/S↓ +ERR%/);
  });

  test("[L30] names from outside cannot move the cursor", () => {
    const hostile = { ...reading, problems: ["node \x1b[2Jevil\r\n\u202e: down"] };
    const lines = screenLines(hostile, initialState, size, colorPainter);
    expect(lines.join("\n")).toContain("node ?[2Jevil???: down");
  });

  test("[L30] the age of an old reading replaces the list of keys", () => {
    expect(shown({}, size, "As of 12:00:00 UTC: cannot reach the mesh").at(-1)).toBe(
      "As of 12:00:00 UTC: cannot reach the mesh",
    );
  });

  test("[L31] rows scroll up to the last one", () => {
    const low = { columns: 100, rows: 9 };
    expect(shown({ scrollTop: 1 }, low)[4]).toMatch(/^api /);
    expect(shown({ scrollTop: 500 }, low).at(-2)).toMatch(/^my-web\.1/);
  });
});

describe("keys", () => {
  const after = (...keys: readonly string[]) =>
    keys.reduce<TopState | null>(
      (state, key) => (state === null ? null : applyKey(state, key)),
      initialState,
    );

  test("[L31] q and Ctrl-C quit; q is a letter in the filter", () => {
    expect(after("q")).toBeNull();
    expect(after("/", "q")?.filter).toBe("q");
    expect(after("/", "ctrl-c")).toBeNull();
    expect(after("?", "q")).toBeNull();
  });

  test("[L31] capital letters and arrows choose the sort column; the same letter again reverses the order", () => {
    expect(after("E")?.order).toEqual({ by: "errors", reverse: false });
    expect(after("E", "E")?.order).toEqual({ by: "errors", reverse: true });
    expect(after("right")?.order.by).toBe("errors");
    expect(after("left", "left", "left")?.order.by).toBe("retries");
    expect(after("r")?.order.reverse).toBe(true);
  });

  test("[L31] letters choose the view, a slash starts the filter, escape clears it", () => {
    expect(after("t")?.view).toBe("tasks");
    expect(after("tab", "tab")?.view).toBe("nodes");
    expect(after("/", "a", "p", "x", "backspace", "enter")).toMatchObject({ filter: "ap", isTyping: false });
    expect(after("/", "a", "enter", "escape")?.filter).toBe("");
    expect(after("space")?.isPaused).toBe(true);
  });

  test("[L31] arrows and pages scroll, not above the first row; home returns to it", () => {
    expect(after("down", "down", "up")?.scrollTop).toBe(1);
    expect(after("pagedown", "pageup", "up")?.scrollTop).toBe(0);
    expect(after("pagedown", "home")?.scrollTop).toBe(0);
  });

  test("[L31] several keys in one chunk are separated; unknown keys do nothing", () => {
    expect(readKeys("j\x1b[A\x1b[6~\x1b\x7f/ü\r")).toEqual([
      "j",
      "up",
      "pagedown",
      "escape",
      "backspace",
      "/",
      "ü",
      "enter",
    ]);
    expect(readKeys("\x1b[1;5D").map((key) => applyKey(initialState, key))).toEqual([initialState]);
  });

  test("[L31] numbers sort descending, names in natural order, states from the worst", () => {
    const names = (by: TopState["order"]["by"], reverse = false) =>
      sortRows(reading.sections.services, { by, reverse }).map(({ name }) => name);
    expect(names("requests")).toEqual(["api", "my-web", "idle"]);
    expect(names("p95")).toEqual(["my-web", "api", "idle"]);
    expect(names("state")).toEqual(["api", "idle", "my-web"]);
    expect(names("name", true)).toEqual(["my-web", "idle", "api"]);
    const tasks = sortRows(reading.sections.tasks, { by: "name", reverse: false });
    expect(tasks.map(({ name }) => name)).toEqual(["api.2", "api.10", "my-web.1"]);
    expect(filterRows(reading.sections.tasks, "DOWN").map(({ name }) => name)).toEqual(["my-web.1"]);
    expect(rowsUnder(shown({ filter: "node2" }), "TASK")).toEqual(["my-web.1"]);
  });
});

test("[L30] numbers are short and have units", () => {
  expect([0, 0.01, 0.44, 12.34, 940.2, 12_345].map(shortRate)).toEqual([
    "0",
    "<0.1",
    "0.4",
    "12.3",
    "940",
    "12.3k",
  ]);
  expect([0, 0.0001, 0.025, 1].map(shortPercent)).toEqual(["0", "<0.1", "2.5", "100"]);
  expect([null, 0.84, 12.4, 1_240].map(shortLatency)).toEqual(["-", "0.8", "12", "1.2s"]);
  expect(sparkline([0, 1, 4, 8], 6)).toBe("   ▂▅█");
});

describe("reading", () => {
  test("[L32] status and traffic become rows; the retry rate is the difference of two readings", async () => {
    const server = await startControlServer(1);
    const get = async <T>(path: string) => {
      const answer = await fetch(`http://${server.host}${path}`, {
        headers: { authorization: `Bearer ${serverToken}` },
      });
      return (await answer.json()) as T;
    };
    server.mesh.service("my-web");
    server.mesh.work();
    const status = await get<MeshStatus>("/mesh/status");
    const [service] = status.services;
    const [task] = service?.tasks ?? [];
    const names = {
      service: { id: service?.id ?? "", name: "my-web" },
      node: { id: status.nodes[0]?.id ?? "", name: "node1" },
    };
    const ofTask = { id: task?.id ?? "", serviceId: service?.id ?? "", nodeId: names.node.id };
    const count = (seq: number, requests: number, failed: number, retries: number) =>
      server.telemetry.count(
        delta(seq, {
          entries: [entryDelta({ requests, responses5xx: failed, retries }, Array(requests).fill(30), names)],
          tasks: [taskDelta({ attempts: requests, redispatches: retries }, Array(requests).fill(30), ofTask)],
        }),
      );
    count(1, 50, 10, 4);
    const earlier = attemptCountsOf(await get<MeshTrafficReport>("/mesh/telemetry?trend=true"));
    count(2, 50, 10, 6);
    const traffic = await get<MeshTrafficReport>("/mesh/telemetry?trend=true");
    const before = { ...earlier, atMs: traffic.atMs - 3_000 };
    const read = buildReading(status, traffic, before, "http://mesh");
    expect(read.sections.services[0]).toMatchObject({
      name: "my-web",
      state: "1/1",
      measured: { errorRatio: 0.2, retries: 2 },
    });
    expect(read.sections.nodes[0]?.measured?.requestsPerSecond).toBeGreaterThan(4);
    expect(read.sections.tasks[0]).toMatchObject({
      name: "my-web.1",
      where: "node1",
      state: "running UP",
      measured: { retries: 2 },
    });
    expect(read.sections.tasks[0]?.measured?.p95Ms).toBeGreaterThan(20);
    expect(read.total?.requestsPerSecond).toBeGreaterThan(4);
    const first = buildReading(status, traffic, null, "http://mesh");
    expect(first.sections.services[0]?.measured?.retries).toBeNull();
    const without = buildReading(status, null, null, "http://mesh");
    expect(without).toMatchObject({
      total: null,
      unmeasured: "Traffic statistics are unavailable.",
    });
    expect(plainScreen(without, initialState, 100)).toContain("my-web");
    await server.stop();
  });

  test("[L71] static servers are listed with the tasks, and count for their service", () => {
    const { service, ...traffic } = {
      service: { id: "s1", name: "legacy", image: "", mode: "replicated" as const, tasks: [], hosts: [] },
      ...{ atMs, sinceMs: 1, completeMs: 0, leftOut: [], nodes: [], strays: [], colos: [] },
    };
    const of = (change: Partial<MeshStatus>) =>
      buildReading({ ...status, ...change }, { ...traffic, services: [] }, null, "http://mesh").sections;
    const alone = { ...service, running: 0, desired: 0, ports: [] };
    const up = serverStatus("node1", "UP 2/3");
    const down = serverStatus("node2", "DOWN");
    const out = { ...serverStatus("node3", "MAINT"), admin: "maint" as const };
    const { services, tasks } = of({ services: [alone], servers: [up, down, out] });
    expect(services).toMatchObject([{ name: "legacy", state: "1/3 servers", tone: "warn" }]);
    expect(tasks).toMatchObject([
      { name: "legacy/node1", where: "172.31.46.128:8080", state: "server UP 2/3", tone: "warn" },
      { name: "legacy/node2", state: "server DOWN", tone: "bad" },
      { name: "legacy/node3", state: "server MAINT", tone: "idle" },
    ]);
    const both = { ...alone, running: 2, desired: 2 };
    expect(of({ services: [both], servers: [serverStatus("node1", "no check")] }).services).toMatchObject([
      { state: "2/2, 1/1 server", tone: "ok" },
    ]);
    expect(of({ services: [alone], servers: [down] }).services).toMatchObject([
      { state: "0/1 server", tone: "bad" },
    ]);
    expect(of({ services: [alone] }).services).toMatchObject([{ state: "0/0", tone: "ok" }]);
  });

  const status: MeshStatus = {
    mesh: { id: "m", name: "waggle", createdAtMs: 1, tableVersion: 1 },
    nowMs: atMs,
    nodes: [],
    services: [],
    problems: [],
  };

  test("[L32] without a terminal one reading is printed; --json prints it as JSON", async () => {
    const traffic = {
      atMs,
      sinceMs: 1,
      services: [],
      completeMs: atMs,
      leftOut: [],
      nodes: [],
      strays: [],
      colos: [],
    };
    await using mesh = await fakeMesh({
      "GET /mesh/status": { json: status },
      "GET /mesh/telemetry": { json: traffic },
    });
    const text = await runOn(mesh, ["top", "--only", "services"]);
    expect(text).toMatchObject({ code: 0, err: "" });
    expect(text.out).toMatch(/^waggle top: waggle at .*\nAll requests: 0\/s.*\nNo problems\.\n\nSERVICE/);
    expect(mesh.calls.find(({ path }) => path === "/mesh/telemetry")?.query.get("tasks")).toBe("false");
    const json = await runOn(mesh, ["top", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({
      mesh: "waggle",
      sections: { services: [], nodes: [], tasks: [] },
    });
  });

  test("[L32] without telemetry only the numbers are missing", async () => {
    const away = { status: 503, json: { message: "the telemetry object is unreachable" } };
    await using mesh = await fakeMesh({ "GET /mesh/status": { json: status }, "GET /mesh/telemetry": away });
    const { code, out } = await runOn(mesh, ["top", "--once"]);
    expect(code).toBe(0);
    expect(out).toContain("Traffic statistics are unavailable.");
  });

  test("[L32] invalid flags are refused with a hint", async () => {
    await using mesh = await fakeMesh({});
    expect(await runOn(mesh, ["top", "--sort", "size"])).toMatchObject({ code: 2 });
    expect((await runOn(mesh, ["top", "--interval", "10ms"])).err).toContain("must be at least 500ms");
  });
});

describe("on a terminal", () => {
  /** A terminal and a keyboard like those of Node, which record writes and emit keys. */
  function terminal(columns: number, rows: number) {
    const [keyListeners, resizeListeners]: [Set<(bytes: Uint8Array) => void>, Set<() => void>] = [
      new Set(),
      new Set(),
    ];
    const modes: boolean[] = [];
    let written = "";
    const out = {
      isTTY: true,
      columns,
      rows,
      write: (text: string) => {
        written += text;
      },
      on: (_: "resize", listener: () => void) => resizeListeners.add(listener),
      off: (_: "resize", listener: () => void) => resizeListeners.delete(listener),
    };
    const keys = {
      isTTY: true,
      setRawMode: (raw: boolean) => modes.push(raw),
      resume: () => {},
      pause: () => {},
      on: (_: "data", listener: (bytes: Uint8Array) => void) => keyListeners.add(listener),
      off: (_: "data", listener: (bytes: Uint8Array) => void) => keyListeners.delete(listener),
    };
    const type = (text: string) => {
      for (const listener of keyListeners) listener(new TextEncoder().encode(text));
    };
    return { out, keys, type, modes, resizeListeners, written: () => written };
  }

  test("[L33] it uses the alternate screen, shows each reading, and restores the terminal", async () => {
    const status = {
      mesh: { id: "m", name: "waggle", createdAtMs: 1, tableVersion: 1 },
      nowMs: atMs,
      nodes: [],
      services: [],
      problems: [],
    };
    let reads = 0;
    await using mesh = await fakeMesh({
      "GET /mesh/status": () => {
        reads += 1;
        return reads === 2 ? { status: 500, json: { message: "internal error" } } : { json: status };
      },
      "GET /mesh/telemetry": { status: 503, json: { message: "away" } },
    });
    const { out, keys, type, modes, resizeListeners, written } = terminal(70, 12);
    let slept = 0;
    const sleep = async () => {
      slept += 1;
      if (slept === 3) type("/x\rq");
    };
    const ran = await runOn(mesh, ["top"], { out, keys, sleep });
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(written().startsWith(`${esc}[?1049h`)).toBe(true);
    expect(written()).toContain("As of 12:00:00 UTC: internal error; trying again");
    expect(written().endsWith(`${esc}[?25h${esc}[?1049l`)).toBe(true);
    expect([modes, resizeListeners.size]).toEqual([[true, false], 0]);
  });

  test("[L73] a line as wide as the terminal keeps its last column", async () => {
    const long = { what: "service my-web", why: "x".repeat(200), next: "", sinceMs: null };
    const status = {
      mesh: { id: "m", name: "waggle", createdAtMs: 1, tableVersion: 1 },
      nowMs: atMs,
      nodes: [],
      services: [],
      problems: [long],
    };
    await using mesh = await fakeMesh({ "GET /mesh/status": { json: status } });
    const { out, keys, type, written } = terminal(40, 12);
    await runOn(mesh, ["top"], { out, keys, sleep: async () => type("q"), env: { NO_COLOR: "1" } });
    // Without wrapping, the cursor stays on the last column, and clearing to the right would clear it.
    expect(written()).toMatch(/x…(\r\n|$)/m);
    expect(written()).not.toContain(`…${esc}[K`);
  });

  test("[L33] Ctrl-C ends with 130", async () => {
    const status = {
      mesh: { id: "m", name: "waggle", createdAtMs: 1, tableVersion: 1 },
      nowMs: atMs,
      nodes: [],
      services: [],
      problems: [],
    };
    await using mesh = await fakeMesh({ "GET /mesh/status": { json: status } });
    const { out, keys, type, written } = terminal(70, 12);
    const ran = await runOn(mesh, ["top"], { out, keys, sleep: async () => type("\x03") });
    expect(ran.code).toBe(130);
    expect(written().endsWith(`${esc}[?1049l`)).toBe(true);
  });
});
