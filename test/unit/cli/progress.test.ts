import { describe, expect, test } from "vitest";
import type { EngineTask } from "../../../src/cli/engine.ts";
import { isComplete, progressLines, serviceProgress } from "../../../src/cli/progress.ts";
import { createProgressWriter } from "../../../src/cli/progress-writer.ts";
import { node, service, task } from "./engine-objects.ts";
import { fakeMesh, runOn } from "./support.ts";

const one = node("node1");
const two = node("node2");
const down = node("node3", { State: "down" });
const nodes = [one, two, down];
const web = service("my-web", { replicas: 3 });
const lines = (tasks: EngineTask[], columns: number | null = 100) =>
  progressLines(serviceProgress(web, tasks, nodes), columns);

describe("[L9] progress", () => {
  test("[L9] has an overall line, then one line a slot: how far it is, or why it does not get on", () => {
    const tasks = [
      task("a", { slot: 1, node: one }),
      task("b", { slot: 2, node: two, state: "preparing" }),
      task("c", { slot: 3, state: "pending", err: "no suitable node (1 node is draining)" }),
    ];
    expect(lines(tasks)).toEqual([
      "overall progress: 1 out of 3 tasks",
      "1/3: running   [==================================================>]",
      "2/3: preparing [=================================>                 ]",
      "3/3: no suitable node (1 node is draining)",
    ]);
  });

  test("[L9] has neither bars nor cuts where there is no terminal, and cuts to the width where there is one", () => {
    const tasks = [
      task("a", { slot: 1, node: one }),
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

  test("[L9] of many slots shows those in trouble only", () => {
    const many = service("my-web", { replicas: 21 });
    const tasks = [
      task("a", { slot: 1, node: one }),
      task("b", { slot: 2, state: "pending", err: "no suitable node" }),
    ];
    expect(progressLines(serviceProgress(many, tasks, nodes), 100)).toEqual([
      "overall progress: 1 out of 21 tasks",
      "2/21: no suitable node",
    ]);
  });

  test("[L9] counts the slots that stayed after a scale down", () => {
    const half = service("my-web", { replicas: 2 });
    const tasks = [task("a", { slot: 1, node: one }), task("c", { slot: 3, node: two, state: "starting" })];
    const { slots } = serviceProgress(half, tasks, nodes);
    expect(slots.map(({ label, state }) => `${label} ${state}`)).toEqual(["1/2 running", "2/2 starting"]);
  });

  test("[L9] lines up labels of different lengths", () => {
    const ten = service("my-web", { replicas: 10 });
    const [, first, , , , , , , , , last] = progressLines(
      serviceProgress(ten, [task("a", { slot: 1, node: one })], nodes),
      100,
    );
    expect(first?.startsWith("1/10:  running")).toBe(true);
    expect(last).toBe("10/10:");
  });
});

describe("[L8] a service is up when every task that is wanted runs", () => {
  const running = [1, 2, 3].map((slot) => task(`t${slot}`, { slot, node: slot === 1 ? one : two }));
  const complete = (tasks: EngineTask[], of = web) => isComplete(serviceProgress(of, tasks, nodes));

  test("[L8] it is, with one in each slot", () => {
    expect(complete(running)).toBe(true);
  });

  test("[L8] it is not while one is missing, not running, meant to go, or on a node that is down", () => {
    const [first, second, third] = running as [EngineTask, EngineTask, EngineTask];
    expect(complete([first, second])).toBe(false);
    expect(complete([first, second, task("x", { slot: 3, node: one, state: "starting" })])).toBe(false);
    expect(complete([first, second, { ...third, DesiredState: "shutdown" }])).toBe(false);
    expect(complete([first, second, { ...third, NodeID: down.ID }])).toBe(false);
  });

  test("[L8] a task that runs on does not hide that its replacement is not there yet", () => {
    expect(complete([...running, task("new", { slot: 3, node: one, state: "starting" })])).toBe(false);
  });

  test("[L8] a global service needs one on each node that has one, and is not up before the mesh made any", () => {
    const global = service("agent", { global: true });
    expect(complete([], global)).toBe(false);
    expect(complete([task("a", { node: one }), task("b", { node: two, state: "starting" })], global)).toBe(
      false,
    );
    expect(complete([task("a", { node: one }), task("b", { node: two })], global)).toBe(true);
    expect(serviceProgress(global, [task("a", { node: one })], nodes).slots).toEqual([
      { label: "node1", state: "running", err: "" },
    ]);
  });

  test("[L8] no replicas are up at once", () => {
    expect(complete([], service("my-web", { replicas: 0 }))).toBe(true);
  });
});

describe("[L9] lines that change", () => {
  const written = (isTTY: boolean, shows: string[][]) => {
    let text = "";
    const out = { write: (more: string) => void collect(more), isTTY, columns: 40 };
    const collect = (more: string) => {
      text += more;
    };
    const writer = createProgressWriter(out);
    for (const show of shows) writer.show(show);
    return text;
  };

  test("[L9] are painted over on a terminal, and what is left of the old ones is cleared", () => {
    expect(written(true, [["a", "b"], ["a", "c"], ["a", "c"], ["d"]])).toBe(
      "\x1b[2Ka\n\x1b[2Kb\n\x1b[2A\x1b[2Ka\n\x1b[2Kc\n\x1b[2A\x1b[2Kd\n\x1b[J",
    );
  });

  test("[L9] are not cut to nothing by a terminal that does not know its width", () => {
    expect(createProgressWriter({ write: () => {}, isTTY: true, columns: 0 }).columns).toBe(80);
  });

  test("[L9] are printed once each elsewhere, when they first say something", () => {
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

  test("[L8] ends when all tasks have run for a second; the id is on standard output, progress beside it", async () => {
    const states = ["new", "starting", "running"];
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => ({
        json: [
          task("a", {
            slot: 1,
            node: one,
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
    const asked = mesh.calls.find((call) => call.path === "/tasks");
    expect(JSON.parse(asked?.query.get("filters") ?? "")).toEqual({
      service: { [single.ID]: true },
      "_up-to-date": { true: true },
    });
  });

  test("[L8] starts the second anew when a task dies in it", async () => {
    let asked = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => ({
        json: [task("a", { slot: 1, node: one, state: ++asked === 4 ? "starting" : "running" })],
      }),
    });
    expect(await runOn(mesh, [...create.slice(0, 2), "-q", ...create.slice(2)])).toMatchObject({
      code: 0,
      err: "",
    });
    // Three polls, the one that fails, then six that span the second.
    expect(asked).toBe(10);
  });

  test("[L8] ends with 130 on Ctrl-C, and the mesh goes on", async () => {
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

  test("[L60] --timeout ends the waiting with 1 and the reason, and the mesh goes on", async () => {
    let asked = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => {
        asked += 1;
        return { json: [task("a", { slot: 1, state: "pending", err: "No such image: nope" })] };
      },
    });
    const { code, out, err } = await runOn(mesh, ["service", "create", "--timeout", "2s", "-q", "nope"]);
    expect({ code, out }).toEqual({ code: 1, out: `${single.ID}\n` });
    expect(err).toBe(
      "waggle: service my-web: 0 of 1 tasks running after 2s: No such image: nope\n" +
        'the mesh keeps trying; "waggle service ps my-web" shows its tasks, "waggle service rm my-web" removes it\n',
    );
    // At once, then every 200 ms until two seconds have gone.
    expect(asked).toBe(11);
  });

  test("[L60] without it a service that does not come up is waited for", async () => {
    const interrupt = new AbortController();
    let asked = 0;
    await using mesh = await fakeMesh({
      ...base,
      "GET /tasks": () => {
        asked += 1;
        if (asked === 300) interrupt.abort();
        return { json: [] };
      },
    });
    expect(await runOn(mesh, create, { onInterrupt: () => interrupt.signal })).toMatchObject({ code: 130 });
  });

  test("[L8] ends with 1 when the mesh pauses the update", async () => {
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
