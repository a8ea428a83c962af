import { describe, expect, test } from "vitest";
import type { EngineTask } from "../../../src/cli/engine.ts";
import { isComplete, progressLines, serviceProgress } from "../../../src/cli/progress.ts";
import { createProgressWriter } from "../../../src/cli/progress-writer.ts";
import { node, service, task } from "./engine-objects.ts";
import { fakeMesh, runOn } from "./support.ts";

const node1 = node("node1");
const node2 = node("node2");
const downNode = node("node3", { State: "down" });
const nodes = [node1, node2, downNode];
const web = service("my-web", { replicas: 3 });
const lines = (tasks: EngineTask[], columns: number | null = 100) =>
  progressLines(serviceProgress(web, tasks, nodes), columns);

describe("[L9] progress", () => {
  test("[L9] has an overall line, then one line per slot: its state or its error", () => {
    const tasks = [
      task("a", { slot: 1, node: node1 }),
      task("b", { slot: 2, node: node2, state: "preparing" }),
      task("c", { slot: 3, state: "pending", err: "no suitable node (1 node is draining)" }),
    ];
    expect(lines(tasks)).toEqual([
      "overall progress: 1 out of 3 tasks",
      "1/3: running   [==================================================>]",
      "2/3: preparing [=================================>                 ]",
      "3/3: no suitable node (1 node is draining)",
    ]);
  });

  test("[L9] has no bars and no cuts without a terminal, and cuts to the width of a terminal", () => {
    const tasks = [
      task("a", { slot: 1, node: node1 }),
      task("c", { slot: 3, state: "pending", err: "no suitable node" }),
    ];
    expect(lines(tasks, null)).toEqual([
      "overall progress: 1 out of 3 tasks",
      "1/3: running",
      "2/3:",
      "3/3: no suitable node",
    ]);
    for (const line of lines(tasks, 20)) expect(line.length).toBeLessThan(20);
  });

  test("[L9] with many slots only those with errors have a line", () => {
    const many = service("my-web", { replicas: 21 });
    const tasks = [
      task("a", { slot: 1, node: node1 }),
      task("b", { slot: 2, state: "pending", err: "no suitable node" }),
    ];
    expect(progressLines(serviceProgress(many, tasks, nodes), 100)).toEqual([
      "overall progress: 1 out of 21 tasks",
      "2/21: no suitable node",
    ]);
  });

  test("[L9] numbers the remaining slots by position after scaling down", () => {
    const half = service("my-web", { replicas: 2 });
    const tasks = [
      task("a", { slot: 1, node: node1 }),
      task("c", { slot: 3, node: node2, state: "starting" }),
    ];
    const { slots } = serviceProgress(half, tasks, nodes);
    expect(slots.map(({ label, state }) => `${label} ${state}`)).toEqual(["1/2 running", "2/2 starting"]);
  });

  test("[L9] aligns labels of different lengths", () => {
    const ten = service("my-web", { replicas: 10 });
    const [, first, , , , , , , , , last] = progressLines(
      serviceProgress(ten, [task("a", { slot: 1, node: node1 })], nodes),
      100,
    );
    expect(first?.startsWith("1/10:  running")).toBe(true);
    expect(last).toBe("10/10:");
  });
});

describe("[L8] a service is complete if every desired task runs", () => {
  const running = [1, 2, 3].map((slot) => task(`t${slot}`, { slot, node: slot === 1 ? node1 : node2 }));
  const complete = (tasks: EngineTask[], service = web) => isComplete(serviceProgress(service, tasks, nodes));

  test("[L8] with a running task in each slot", () => {
    expect(complete(running)).toBe(true);
  });

  test("[L8] not if a task is missing, not running, stopping, or on a node that is down", () => {
    const [first, second, third] = running as [EngineTask, EngineTask, EngineTask];
    expect(complete([first, second])).toBe(false);
    expect(complete([first, second, task("x", { slot: 3, node: node1, state: "starting" })])).toBe(false);
    expect(complete([first, second, { ...third, DesiredState: "shutdown" }])).toBe(false);
    expect(complete([first, second, { ...third, NodeID: downNode.ID }])).toBe(false);
  });

  test("[L8] not if a replacement is still starting", () => {
    expect(complete([...running, task("new", { slot: 3, node: node1, state: "starting" })])).toBe(false);
  });

  test("[L8] a global service needs a running task on each of its nodes, and at least one task", () => {
    const global = service("agent", { global: true });
    expect(complete([], global)).toBe(false);
    expect(
      complete([task("a", { node: node1 }), task("b", { node: node2, state: "starting" })], global),
    ).toBe(false);
    expect(complete([task("a", { node: node1 }), task("b", { node: node2 })], global)).toBe(true);
    expect(serviceProgress(global, [task("a", { node: node1 })], nodes).slots).toEqual([
      { label: "node1", state: "running", err: "" },
    ]);
  });

  test("[L8] a service with no replicas is complete", () => {
    expect(complete([], service("my-web", { replicas: 0 }))).toBe(true);
  });
});

describe("[L9] progress lines", () => {
  const written = (isTTY: boolean, shows: string[][]) => {
    let text = "";
    const out = { write: (chunk: string) => void collect(chunk), isTTY, columns: 40 };
    const collect = (chunk: string) => {
      text += chunk;
    };
    const writer = createProgressWriter(out);
    for (const lines of shows) writer.show(lines);
    return text;
  };

  test("[L9] are rewritten in place on a terminal, and the rest of the old lines is cleared", () => {
    expect(written(true, [["a", "b"], ["a", "c"], ["a", "c"], ["d"]])).toBe(
      "\x1b[2Ka\n\x1b[2Kb\n\x1b[2A\x1b[2Ka\n\x1b[2Kc\n\x1b[2A\x1b[2Kd\n\x1b[J",
    );
  });

  test("[L9] have 80 columns on a terminal that reports a width of 0", () => {
    expect(createProgressWriter({ write: () => {}, isTTY: true, columns: 0 }).columns).toBe(80);
  });

  test("[L9] are printed once each without a terminal", () => {
    expect(
      written(false, [
        ["a", "b"],
        ["a", "c"],
        ["a", "c"],
      ]),
    ).toBe("a\nb\nc\n");
  });
});

describe("[L8] waiting", () => {
  const single = service("my-web", { replicas: 1 });
  const base = {
    "POST /services/create": { status: 201, json: { ID: single.ID } },
    [`GET /services/${single.ID}`]: { json: single },
    "GET /nodes": { json: nodes },
  };
  const create = ["service", "create", "--name", "my-web", "waggle/whoami"];

  test("[L8] ends when all tasks have run for a second; the ID is on standard output, progress on standard error", async () => {
    const states = ["new", "starting", "running"];
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => ({
        json: [
          task("a", {
            slot: 1,
            node: node1,
            state: (states.length > 1 ? states.shift() : undefined) ?? "running",
          }),
        ],
      }),
    });
    const { code, out, err } = await runOn(mesh, create);
    expect({ code, out }).toEqual({ code: 0, out: `${single.ID}\n` });
    expect(err.split("\n")).toEqual([
      "overall progress: 0 out of 1 tasks",
      "1/1: new",
      "1/1: starting",
      "overall progress: 1 out of 1 tasks",
      "1/1: running",
      "verify: Waiting 1 second to verify that tasks are stable...",
      "verify: Service my-web converged",
      "",
    ]);
    const tasksCall = mesh.calls.find((call) => call.path === "/tasks");
    expect(JSON.parse(tasksCall?.query.get("filters") ?? "")).toEqual({
      service: { [single.ID]: true },
      "_up-to-date": { true: true },
    });
  });

  test("[L8] restarts the second if a task ends in it", async () => {
    let polls = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => ({
        json: [task("a", { slot: 1, node: node1, state: ++polls === 4 ? "starting" : "running" })],
      }),
    });
    expect(await runOn(mesh, [...create.slice(0, 2), "-q", ...create.slice(2)])).toMatchObject({
      code: 0,
      err: "",
    });
    // Three polls, one with the failed task, then six over a second.
    expect(polls).toBe(10);
  });

  test("[L8] ends with 130 on Ctrl-C, and the mesh continues", async () => {
    const interrupt = new AbortController();
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => {
        interrupt.abort();
        return { json: [] };
      },
    });
    const { code, out, err } = await runOn(mesh, create, { onInterrupt: () => interrupt.signal });
    expect({ code, out }).toEqual({ code: 130, out: `${single.ID}\n` });
    expect(err).toContain(
      `Operation continuing in background.\nUse \`waggle service ps ${single.ID}\` to check progress.\n`,
    );
  });

  test("[L60] --timeout ends the wait with 1 and the reason, and the mesh continues", async () => {
    let polls = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => {
        polls += 1;
        return { json: [task("a", { slot: 1, state: "pending", err: "No such image: nope" })] };
      },
    });
    const { code, out, err } = await runOn(mesh, ["service", "create", "--timeout", "2s", "-q", "nope"]);
    expect({ code, out }).toEqual({ code: 1, out: `${single.ID}\n` });
    expect(err).toBe(
      "waggle: service my-web: 0 of 1 tasks running after 2s: No such image: nope\n" +
        'the mesh keeps trying; "waggle service ps my-web" shows its tasks, "waggle service rm my-web" removes it\n',
    );
    // At once, then every 200 ms for two seconds.
    expect(polls).toBe(11);
  });

  test("[L60] without --timeout the wait has no limit", async () => {
    const interrupt = new AbortController();
    let polls = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => {
        polls += 1;
        if (polls === 300) interrupt.abort();
        return { json: [] };
      },
    });
    expect(await runOn(mesh, create, { onInterrupt: () => interrupt.signal })).toMatchObject({ code: 130 });
  });

  test("[L8] ends with 1 if the mesh pauses the update", async () => {
    const paused = { ...single, UpdateStatus: { State: "paused", Message: "too many failures" } };
    await using mesh = await fakeMesh({
      ...base,
      [`GET /services/${single.ID}`]: { json: paused },
      "GET /tasks": { json: [] },
    });
    expect(await runOn(mesh, create)).toMatchObject({
      code: 1,
      err: "waggle: service update paused: too many failures\n",
    });
  });
});
