import { describe, expect, test } from "vitest";
import type { MeshNode } from "../../../../src/domain/model/node.ts";
import type { Service } from "../../../../src/domain/model/service.ts";
import { isAlive, type Task } from "../../../../src/domain/model/task.ts";
import { applyReport, type ReportedState } from "../../../../src/domain/model/task-report.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { applyPlan, type Plan } from "../../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../../src/domain/orchestrator/reconcile.ts";
import { firstWakeMs } from "../../../support/plans.ts";
import { aNode, aService, aTask, aWorld, ids, now, updated } from "../../../support/world.ts";

const node1 = aNode({ hostname: "node1" });
const node2 = aNode({ hostname: "node2" });
const node3 = aNode({ hostname: "node3" });
const three = [node1, node2, node3];
const node4 = aNode({ hostname: "node4" });
const node5 = aNode({ hostname: "node5" });
/** A node that keeps its tasks and gets no other ones. */
const paused = (node: MeshNode): MeshNode => ({ ...node, availability: "pause" });
const down: Partial<MeshNode> = { state: "down", stateSinceMs: now - 1_000 };

describe("slots", () => {
  test("[C19] slots are numbered from 1, and a free low number is used first", () => {
    const service = aService({ replicas: 3 });
    const tasks = [aTask(service, { slot: 1 }), aTask(service, { slot: 3, nodeId: node2.id })];
    expect(created(planOf(aWorld(three, [service], tasks))).map(({ slot }) => slot)).toEqual([2]);
  });

  test("[C20] scaling down removes slots from the node with the most", () => {
    const service = aService({ replicas: 2 });
    const tasks = [1, 2, 3].map((slot) => aTask(service, { slot, nodeId: slot < 3 ? node1.id : node2.id }));
    const plan = planOf(aWorld(three, [service], tasks));
    expect(plan.tasks.map(({ slot, desired }) => [slot, desired])).toEqual([[2, "remove"]]);
  });

  test("[C21] between equal nodes a task that is not running is removed first, then the one in the highest slot", () => {
    const tasksOf = (service: Service, firstState: Task["state"]) => [
      aTask(service, { slot: 1, nodeId: node1.id, state: firstState }),
      aTask(service, { slot: 2, nodeId: node2.id }),
      aTask(service, { slot: 3, nodeId: node3.id }),
    ];
    const service = aService({ replicas: 2 });
    const slots = (state: Task["state"]) =>
      planOf(aWorld(three, [service], tasksOf(service, state))).tasks.map(({ slot }) => slot);
    expect(slots("starting")).toEqual([1]);
    expect(slots("running")).toEqual([3]);
  });

  test("[C22] a removed slot's history is deleted", () => {
    const service = aService({ replicas: 0 });
    const live = aTask(service);
    const dead = aTask(service, { id: id("d"), state: "failed", desired: "shutdown" });
    const plan = planOf(aWorld(three, [service], [live, dead]));
    expect(plan.removed).toEqual([dead.id]);
    expect(plan.tasks).toMatchObject([{ id: live.id, desired: "remove" }]);
  });

  test("[C23] of several tasks in one slot the one that runs stays, then the one on a ready node, then the oldest", () => {
    const service = aService({ replicas: 1 });
    const disconnected = aNode({ hostname: "node4", state: "disconnected" });
    const tasks = [
      aTask(service, { id: id("a"), state: "starting", createdAtMs: now - 900_000 }),
      aTask(service, { id: id("b"), nodeId: disconnected.id, createdAtMs: now - 800_000 }),
      aTask(service, { id: id("c"), nodeId: node2.id, createdAtMs: now - 600_000 }),
      aTask(service, { id: id("d"), nodeId: node3.id, createdAtMs: now - 700_000 }),
    ];
    const plan = planOf(aWorld([...three, disconnected], [service], tasks));
    expect(plan.tasks.map(({ id: taskId, desired }) => [taskId[0], desired]).sort()).toEqual([
      ["a", "shutdown"],
      ["b", "shutdown"],
      ["c", "shutdown"],
    ]);
  });
});

describe("lost nodes", () => {
  for (const [problem, change] of [
    ["drains", { availability: "drain" }],
    ["is down", down],
    ["breaks a constraint", { labels: { zone: "b" } }],
  ] as const) {
    test(`[C24] a running task whose node ${problem} stays until its replacement runs`, () => {
      const service = aService({ replicas: 1, constraints: ["node.labels.zone!=b"] });
      const task = aTask(service);
      let world = aWorld([{ ...node1, ...change }, node2], [service], [task]);
      world = reconciled(world);
      expect(world.tasks.get(task.id)?.desired).toBe("running");
      const [next] = wantedBesides(world, task);
      expect(next).toMatchObject({ nodeId: node2.id, slot: 1, state: "assigned" });
      world = reconciled(reported(world, next, "starting"));
      expect(world.tasks.get(task.id)?.desired).toBe("running");
      world = reconciled(reported(world, next, "running"));
      expect(world.tasks.get(task.id)?.desired).toBe("shutdown");
    });
  }

  test("[C25] a task that needs replacement and does not run yet is stopped at once", () => {
    const service = aService({ replicas: 1 });
    const task = aTask(service, { state: "preparing" });
    const world = reconciled(aWorld([{ ...node1, ...down }, node2], [service], [task]));
    expect(world.tasks.get(task.id)?.desired).toBe("shutdown");
    expect(wantedBesides(world, task)).toMatchObject([{ nodeId: node2.id }]);
  });

  test("[C26] a node that comes back before the replacement runs keeps its task, and the replacement is stopped", () => {
    const service = aService({ replicas: 1 });
    const task = aTask(service);
    let world = reconciled(aWorld([{ ...node1, ...down }, node2], [service], [task]));
    const [next] = wantedBesides(world, task);
    world = reconciled({ ...world, nodes: new Map(world.nodes).set(node1.id, node1) });
    expect(world.tasks.get(task.id)?.desired).toBe("running");
    expect(world.tasks.get(next.id)?.desired).toBe("shutdown");
  });

  test("[C27] if no other node can take the replacement, the task stays and the replacement shows the reason", () => {
    const service = aService({ replicas: 1 });
    const task = aTask(service);
    const world = reconciled(aWorld([{ ...node1, ...down }], [service], [task]));
    expect(world.tasks.get(task.id)?.desired).toBe("running");
    expect(wantedBesides(world, task)).toMatchObject([
      { state: "pending", nodeId: null, err: "no suitable node (1 node not available for new tasks)" },
    ]);
  });

  test("[C28] a paused node keeps its tasks, even if a constraint no longer holds, and gets no new ones", () => {
    const service = aService({ replicas: 2, constraints: ["node.labels.zone==a"] });
    const paused = { ...node1, availability: "pause" as const };
    const world = reconciled(aWorld([paused], [service], [aTask(service)]));
    expect([...world.tasks.values()].map(({ state, err }) => [state, err])).toEqual([
      ["running", ""],
      ["pending", "no suitable node (1 node not available for new tasks)"],
    ]);
  });

  test("[C29] tasks of a removed node become orphaned and are replaced without a delay", () => {
    const service = aService({ replicas: 1, restart: { condition: "none" } });
    const task = aTask(service, { nodeId: "gone" });
    const world = reconciled(aWorld([node2], [service], [task]));
    expect(world.tasks.get(task.id)).toMatchObject({ state: "orphaned", err: "its node was removed" });
    expect(wantedBesides(world, task)).toMatchObject([{ nodeId: node2.id, notBeforeMs: now }]);
  });

  test("[C30] a stopping task on a node that stays down becomes orphaned after a day", () => {
    const service = aService({ replicas: 1 });
    const stopping = aTask(service, { id: id("x"), desired: "shutdown" });
    const live = aTask(service, { id: id("y"), nodeId: node2.id });
    const world = aWorld([{ ...node1, ...down }, node2], [service], [stopping, live]);
    const day = 86_400_000;
    expect(firstWakeMs(planOf(world))).toBe(now - 1_000 + day);
    expect(planOf(world, now - 1_000 + day).tasks).toMatchObject([{ id: stopping.id, state: "orphaned" }]);
  });
});

describe("updates", () => {
  const old = aService({ replicas: 3 });
  const tasks = [1, 2, 3].map((slot) => aTask(old, { slot, nodeId: three[slot - 1]?.id ?? null }));

  test("[C31] an update replaces one slot at a time, and each new task runs before the old one stops", () => {
    let world = reconciled(aWorld(three, [updated(old, { run: { image: "web:2" } })], tasks));
    const order: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const next = [...world.tasks.values()].filter(({ state }) => state === "assigned");
      expect(next.length).toBe(1);
      expect(wanted(world).length).toBe(4);
      order.push(next[0]?.slot ?? 0);
      world = reconciled(reported(world, next[0], "running"), now + 5_000);
    }
    expect(order).toEqual([1, 2, 3]);
    expect(wanted(world).map(({ run }) => run.image)).toEqual(["web:2", "web:2", "web:2"]);
  });

  test("[C32] with stop-first the old task ends before the new one is placed", () => {
    const service = updated(old, { run: { image: "web:2" }, update: { order: "stop-first" } });
    let world = reconciled(aWorld(three, [service], tasks));
    expect(world.tasks.get(tasks[0]?.id ?? "")?.desired).toBe("shutdown");
    const next = wanted(world).find(({ run }) => run.image === "web:2");
    expect(next).toMatchObject({ slot: 1, state: "pending", err: "waiting for the previous task to stop" });
    world = reconciled(reported(world, tasks[0], "shutdown"));
    expect(world.tasks.get(next?.id ?? "")).toMatchObject({ state: "assigned", nodeId: node1.id, err: "" });
    expect(wanted(world).length).toBe(3);
  });

  test("[C33] an update does not advance while a new task fails, and the old tasks keep running", () => {
    let world = reconciled(aWorld(three, [updated(old, { run: { image: "bad" } })], tasks));
    for (let failure = 0; failure < 5; failure += 1) {
      const next = wanted(world).find(({ run }) => run.image === "bad");
      expect(next?.slot).toBe(1);
      world = reconciled(reported(world, next, "failed"), now + 60_000 * failure);
    }
    expect(
      wanted(world)
        .filter(({ state }) => state === "running")
        .map(({ slot }) => slot),
    ).toEqual([1, 2, 3]);
  });

  test("[C51] with stop-first a failing update stays in its first slot, even after the old task's record is deleted", () => {
    const service = updated(old, { run: { image: "bad" }, update: { order: "stop-first" } });
    let world = reconciled(aWorld(three, [service], tasks));
    world = reconciled(reported(world, tasks[0], "shutdown"));
    let nowMs = now;
    for (let failure = 0; failure < 7; failure += 1) {
      const next = wanted(world).find(({ run }) => run.image === "bad");
      expect(next?.slot).toBe(1);
      nowMs = Math.max(nowMs, next?.notBeforeMs ?? 0);
      world = reconciled(reported(reconciled(world, nowMs), next, "failed", nowMs), nowMs);
    }
    expect(world.tasks.has(tasks[0]?.id ?? "")).toBe(false);
    expect(
      wanted(world)
        .filter(({ state }) => state === "running")
        .map(({ slot }) => slot),
    ).toEqual([2, 3]);
  });

  test("[C52] a task whose spec is outdated before it ran is stopped at once, even if its slot is not updated yet", () => {
    const service = updated(old, { run: { image: "web:3" } });
    const overtaken = aTask(service, {
      id: id("v"),
      slot: 2,
      nodeId: node1.id,
      runHash: "web:2",
      state: "starting",
    });
    const world = reconciled(aWorld(three, [service], [...tasks, overtaken]));
    expect(world.tasks.get(overtaken.id)?.desired).toBe("shutdown");
    const moving = wanted(world).filter(({ run, state }) => run.image === "web:3" && state !== "running");
    expect(moving.map(({ slot }) => slot)).toEqual([1]);
  });

  for (const [which, oldNode] of [
    ["another", paused(node1)],
    ["the same", node1],
  ] as const) {
    test(`[C68] a slot whose new task was lost with its node, its old one running on ${which} node, is not updated`, () => {
      const before = aService({ replicas: 1, update: { delayMs: 2_000, monitorMs: 300 } });
      const service = updated(before, { run: { image: "web:2" } });
      let world = settled(aWorld([oldNode, node2, node3], [service], [aTask(before)]));
      const lost = latestOf(world, service);
      expect(lost.nodeId === node1.id).toBe(oldNode === node1);
      world = settled(reported(world, lost, "running"));
      world = settled(withNode(world, lost.nodeId, { availability: "drain" }));
      world = settled(world, now + 2_000);
      expect(latestOf(world, service).id).not.toBe(lost.id);
      world = settled(world, now + 60_000);
      expect(world.services.get(service.id)?.update?.state).toBe("updating");
      expect(wanted(world).map(({ state }) => state)).toEqual(["running", "assigned"]);
      world = settled(reported(world, latestOf(world, service), "running", now + 60_000), now + 60_000);
      world = settled(world, now + 63_000);
      expect(world.services.get(service.id)?.update?.state).toBe("completed");
      expect(wanted(world).map(({ run }) => run.image)).toEqual(["web:2"]);
    });
  }

  test("[C68] a slot is not updated by the stopped tasks of an earlier update to the same spec", () => {
    const to = (world: World, image: string): World => {
      const [service = old] = world.services.values();
      const next = { ...updated(service, { run: { image } }), update: null };
      return { ...world, services: new Map([[next.id, next]]) };
    };
    const latest = (world: World) => {
      const [service = old] = world.services.values();
      return latestOf(world, service);
    };
    let world = settled(to(aWorld(three, [old], tasks), "web:2"));
    world = settled(reported(world, latest(world), "rejected"));
    world = settled(reported(world, latest(world), "running"));
    world = settled(to(world, "web:3"));
    world = settled(to(world, "web:2"));
    const moving = wanted(world).filter(({ run }) => run.image === "web:2");
    expect(moving.map(({ slot, state }) => [slot, state])).toEqual([[1, "assigned"]]);
  });

  for (const [order, which, nodes] of [
    ["start-first", "another", [paused(node1), paused(node2), paused(node3), node4, node5]],
    ["start-first", "the old task's", [node1, paused(node2), paused(node3), node5]],
    ["stop-first", "the old task's", [node1, paused(node2), paused(node3), node5]],
  ] as const) {
    test(`[C69] with ${order} no second slot is on trial after ${which} node is lost with the first new task`, () => {
      const service = updated(old, { run: { image: "web:2" }, update: { order } });
      let world = reconciled(aWorld(nodes, [service], tasks));
      if (order === "stop-first") world = reconciled(reported(world, tasks[0], "shutdown"));
      const lost = latestOf(world, service);
      expect(lost.nodeId).toBe(which === "another" ? node4.id : node1.id);
      world = settled(reported(world, lost, "running"));
      world = withNode(world, lost.nodeId, { ...down, stateSinceMs: now });
      for (const [atMs, state] of [
        [now + 1_000, "assigned"],
        [now + 60_000, "running"],
        [now + 64_999, "running"],
      ] as const) {
        if (state === "running") world = reported(world, latestOf(world, service), state, now + 60_000);
        world = settled(world, atMs);
        const isNew = ({ id: taskId, run }: Task) => run.image === "web:2" && taskId !== lost.id;
        const onTrial = wanted(world).filter(isNew);
        expect(onTrial.map(({ slot, state: observed }) => [slot, observed])).toEqual([[1, state]]);
      }
      world = settled(world, now + 65_000);
      expect(latestOf(world, service)).toMatchObject({ slot: 2, run: { image: "web:2" } });
    });
  }

  test("[C69] a failure of the task that replaces a lost one pauses the update at its first slot", () => {
    const service = updated(old, { run: { image: "web:2" } });
    let world = settled(aWorld([...three.map(paused), node4, node5], [service], tasks));
    const lost = latestOf(world, service);
    world = settled(withNode(reported(world, lost, "running"), lost.nodeId, down), now + 1_000);
    world = settled(reported(world, latestOf(world, service), "rejected", now + 2_000), now + 2_000);
    world = settled(reported(world, latestOf(world, service), "running", now + 3_000), now + 60_000);
    expect(world.services.get(service.id)?.update?.state).toBe("paused");
    expect(wanted(world).filter(({ runHash }) => runHash === service.runHash)).toMatchObject([{ slot: 1 }]);
  });

  test("[C101] a replacement of a new task that fails pauses the update at once, not after the next one runs", () => {
    const service = updated(old, { run: { image: "web:2" }, update: { order: "stop-first" } });
    for (const change of [down, { availability: "drain" } as const]) {
      let world = reconciled(aWorld([...three.map(paused), node4, node5], [service], tasks));
      world = settled(reported(world, tasks[0], "shutdown"));
      const lost = latestOf(world, service);
      world = settled(withNode(reported(world, lost, "running"), lost.nodeId, change), now + 1_000);
      world = reconciled(reported(world, latestOf(world, service), "failed", now + 2_000), now + 2_000);
      expect(wanted(world).map(({ id: taskId }) => taskId)).toContain(lost.id);
      expect(world.services.get(service.id)?.update?.state).toBe("paused");
    }
  });

  test("[C69] a slot for which no node fits, and whose new task never ran, does not hold up the trial", () => {
    const service = updated(old, { run: { image: "web:2" }, replicas: 4, maxPerNode: 1 });
    const world = settled(aWorld(three, [service], tasks));
    const next = wanted(world).filter(({ run }) => run.image === "web:2");
    expect(next.map(({ slot, state }) => [slot, state])).toEqual([
      [1, "assigned"],
      [4, "pending"],
    ]);
  });

  test("[C34] parallelism 0 updates all slots at once", () => {
    const service = updated(old, { run: { image: "web:2" }, update: { parallelism: 0 } });
    expect(created(planOf(aWorld(three, [service], tasks))).length).toBe(3);
  });

  test("[C35] a change of ports, labels, replicas or reservations replaces no task", () => {
    const service = updated(old, {
      ports: [...old.spec.ports, { target: 80, published: 9090, mode: "ingress" }],
      labels: { team: "web" },
      reservations: { nanoCpus: 1e9, memoryBytes: 0 },
    });
    expect(planOf(aWorld(three, [service], tasks))).toMatchObject({ tasks: [], removed: [] });
  });

  test("[C36] after a new spec, a task that was never placed is deleted and a new one is pending in its slot", () => {
    const service = updated(aService({ replicas: 1, constraints: ["node.role==manager"] }), {
      run: { image: "web:2" },
    });
    const waiting = aTask(service, {
      state: "pending",
      nodeId: null,
      runHash: "old",
      err: "no suitable node",
    });
    const plan = planOf(aWorld(three, [service], [waiting]));
    expect(plan.removed).toEqual([waiting.id]);
    expect(created(plan)).toMatchObject([{ state: "pending", run: { image: "web:2" } }]);
  });
});

describe("restarts", () => {
  test("[C37] the delays after failures in a row are 0, 1, 2, 4, 8, 16 and 30 seconds, although the history is shorter", () => {
    const service = aService({ replicas: 1 });
    expect(restartDelays(service, 9)).toEqual([
      [0, ""],
      [1_000, "restarting in 1 s after 2 failures"],
      [2_000, "restarting in 2 s after 3 failures"],
      [4_000, "restarting in 4 s after 4 failures"],
      [8_000, "restarting in 8 s after 5 failures"],
      [16_000, "restarting in 16 s after 6 failures"],
      [30_000, "restarting in 30 s after 7 failures"],
      [30_000, "restarting in 30 s after more than 7 failures"],
      [30_000, "restarting in 30 s after more than 7 failures"],
    ]);
  });

  test("[C38] a task that ran longer than a minute ends the streak of failures; a task that took that long to start does not", () => {
    const service = aService({ replicas: 1 });
    const lives = [10, 10, 61_000, 10];
    expect(restartDelays(service, 4, lives).map(([delayMs]) => delayMs)).toEqual([0, 1_000, 0, 0]);
    expect(restartDelays(service, 4, lives, "starting").map(([delayMs]) => delayMs)).toEqual([
      0, 1_000, 2_000, 4_000,
    ]);
  });

  test("[C39] a delay in the restart policy replaces the backoff", () => {
    const service = aService({ replicas: 1, restart: { delayMs: 5_000 } });
    expect(restartDelays(service, 3)).toEqual([
      [5_000, "restarting in 5 s"],
      [5_000, "restarting in 5 s"],
      [5_000, "restarting in 5 s"],
    ]);
  });

  test("[C40] the successor is created at once and placed when its delay is over", () => {
    const service = aService({ replicas: 1, restart: { delayMs: 5_000 } });
    const failed = aTask(service, { state: "failed", err: "task: non-zero exit (1)" });
    const world = reconciled(aWorld(three, [service], [failed]));
    expect(planOf(world).tasks).toEqual([]);
    expect(firstWakeMs(planOf(world))).toBe(now + 5_000);
    expect(world.tasks.get(failed.id)?.desired).toBe("shutdown");
    expect(created(planOf(aWorld(three, [service], [failed])))).toMatchObject([
      { state: "pending", nodeId: null },
    ]);
    expect(planOf(world, now + 5_000).tasks).toMatchObject([{ state: "assigned", err: "" }]);
  });

  test("[C41] restart condition none allows no successor, on-failure none for a completed task", () => {
    const isFollowed = (
      condition: "any" | "on-failure" | "none",
      state: "complete" | "failed" | "rejected",
    ) => {
      const service = aService({ replicas: 1, restart: { condition } });
      return created(planOf(aWorld(three, [service], [aTask(service, { state })]))).length === 1;
    };
    expect([isFollowed("none", "failed"), isFollowed("none", "complete")]).toEqual([false, false]);
    expect([isFollowed("on-failure", "failed"), isFollowed("on-failure", "rejected")]).toEqual([true, true]);
    expect(isFollowed("on-failure", "complete")).toBe(false);
    expect([isFollowed("any", "complete"), isFollowed("any", "failed")]).toEqual([true, true]);
  });

  test("[C42] max-attempts limits restarts, even beyond the usual history, and a new spec resets the count", () => {
    for (const maxAttempts of [1, 7]) {
      const service = aService({ replicas: 1, restart: { maxAttempts } });
      expect(restartDelays(service, maxAttempts + 5).length).toBe(maxAttempts);
    }
    const service = aService({ replicas: 1, restart: { maxAttempts: 1 } });
    const dead = [
      aTask(service, { id: id("a"), state: "failed", desired: "shutdown" }),
      aTask(service, { id: id("b"), state: "failed" }),
    ];
    expect(created(planOf(aWorld(three, [service], dead)))).toEqual([]);
    expect(created(planOf(aWorld(three, [updated(service, { run: { image: "web:2" } })], dead))).length).toBe(
      1,
    );
  });

  test("[C43] a task that its agent stopped on its own is replaced at once, whatever the policy", () => {
    const service = aService({ replicas: 1, restart: { condition: "none", delayMs: 5_000 } });
    const plan = planOf(aWorld(three, [service], [aTask(service, { state: "shutdown" })]));
    expect(created(plan)).toMatchObject([{ state: "assigned" }]);
  });
});

describe("removal", () => {
  test("[C44] a removed service's tasks are stopped, and deleted once dead", () => {
    const service = aService();
    const task = aTask(service);
    let world = reconciled(aWorld(three, [], [task]));
    expect(world.tasks.get(task.id)?.desired).toBe("remove");
    world = reconciled(reported(world, task, "shutdown"));
    expect(world.tasks.size).toBe(0);
  });

  test("[C45] a removed service's task is deleted at once if no agent can report it dead", () => {
    const service = aService();
    const tasks = [
      aTask(service, { id: id("a"), state: "pending", nodeId: null }),
      aTask(service, { id: id("b"), nodeId: "gone" }),
      aTask(service, { id: id("c"), nodeId: node1.id }),
    ];
    expect(planOf(aWorld([{ ...node1, ...down }], [], tasks)).removed.length).toBe(3);
  });
});

describe("global services", () => {
  const service = aService({ mode: { kind: "global" }, constraints: ["node.labels.zone!=b"] });

  test("[C46] each node gets one task, with slot 0 and forNode set from the start", () => {
    const other = aNode({ hostname: "node4", labels: { zone: "b" } });
    const plan = planOf(aWorld([node1, node2, other], [service]));
    expect(plan.tasks.map(({ slot, nodeId, forNode }) => [slot, nodeId, forNode])).toEqual([
      [0, node1.id, node1.id],
      [0, node2.id, node2.id],
    ]);
    expect(plan.tasks[0]?.message).toBe("scheduler confirmed task can run on preassigned node");
  });

  test("[C47] a node that is down or paused keeps its task; a node that drains or breaks a constraint loses it", () => {
    const desiredWith = (change: Partial<MeshNode>) =>
      planOf(aWorld([{ ...node1, ...change }], [service], [aTask(service)])).tasks.map(
        ({ desired }) => desired,
      );
    expect(desiredWith(down)).toEqual([]);
    expect(desiredWith({ availability: "pause" })).toEqual([]);
    expect(desiredWith({ availability: "drain" })).toEqual(["shutdown"]);
    expect(desiredWith({ labels: { zone: "b" } })).toEqual(["shutdown"]);
  });

  test("[C48] a task that does not fit its node stays pending and shows the reason", () => {
    const large = aService({ mode: { kind: "global" }, reservations: { nanoCpus: 99e9, memoryBytes: 0 } });
    expect(planOf(aWorld([node1], [large])).tasks).toMatchObject([
      {
        state: "pending",
        nodeId: null,
        forNode: node1.id,
        err: "no suitable node (insufficient resources on 1 node)",
      },
    ]);
  });
});

describe("the trial of a global service", () => {
  const before = aService({ mode: { kind: "global" } });
  const service = updated(before, { run: { env: ["VERSION=2"] } });
  const startedAtMs = now - 1_000;
  /** The second node runs a task of each spec, the first one a task that has run the new spec for long. */
  const plan = (first: Partial<MeshNode>) => {
    const proving = aTask(service, { id: id("p") });
    const old = aTask(before, { id: id("a"), nodeId: node2.id });
    const recent = { nodeId: node2.id, stateSinceMs: startedAtMs, createdAtMs: startedAtMs };
    const tasks = [proving, old, aTask(service, { id: id("b"), ...recent })];
    return planOf(aWorld([{ ...node1, ...first }, node2], [service], tasks));
  };

  test("[C100] a task on a paused or disconnected node proves the spec: the old task elsewhere stops at once", () => {
    for (const first of [{ availability: "pause" }, { state: "disconnected" }] as const) {
      expect(plan(first).tasks).toMatchObject([{ id: id("a"), desired: "shutdown" }]);
    }
  });

  test("[C100] a task that the same plan stops proves nothing: the old task runs on for the monitor time", () => {
    const { tasks, wakes } = plan({ availability: "drain" });
    expect(tasks).toMatchObject([{ id: id("p"), desired: "shutdown" }]);
    expect(firstWakeMs({ wakes })).toBe(startedAtMs + 5_000);
  });
});

describe("jobs whose node was lost", () => {
  const job = aService({ mode: { kind: "replicated-job", completions: 2, maxConcurrent: 1 } });
  /** The first node runs slot 1 and is down; the task's replacement is placed on another one. */
  const lost = () => {
    const world = settled(aWorld(three, [{ ...job, job: { iteration: 0, startedAtMs: now } }]));
    const first = latestOf(world, job);
    const without = settled(withNode(reported(world, first, "running"), first.nodeId, down));
    return { first, replacement: latestOf(without, job), world: without };
  };

  test("[C66] a returned task ends before another one starts; one that started before it came back goes on", () => {
    const { first, replacement, world } = lost();
    const returned = settled(withNode(world, first.nodeId, { state: "ready" }));
    const done = settled(reported(returned, replacement, "complete"));
    expect(wanted(done)).toEqual([]);
    const ended = settled(reported(done, first, "shutdown"));
    expect(wanted(ended)).toMatchObject([{ slot: 2, state: "assigned" }]);
    const began = settled(reported(world, replacement, "complete"));
    expect(wanted(settled(withNode(began, first.nodeId, { state: "ready" })))).toEqual(wanted(began));
  });

  test("[C66] a slot that a returned task completed is done, and the task's replacement is stopped", () => {
    const { first, replacement, world } = lost();
    const returned = settled(withNode(world, first.nodeId, { state: "ready" }));
    const done = settled(reported(returned, first, "complete"));
    expect(done.tasks.get(replacement.id)).toMatchObject({ desired: "shutdown", state: "assigned" });
    const ended = settled(reported(done, replacement, "shutdown"));
    expect(wanted(ended).map(({ slot }) => slot)).toEqual([2]);
  });
});

test("[C49] the events of a plan say what it does and why", () => {
  const service = aService({ replicas: 1 });
  const plan = planOf(aWorld([{ ...node1, availability: "drain" }, node2], [service], [aTask(service)]));
  expect(plan.events.map(({ actor, action, subject, why }) => [actor, action, subject.name, why])).toEqual([
    ["registry", "task.create", "my-web.1", "replaces a task: its node is draining"],
    ["registry", "task.assign", "my-web.1", "to node2"],
  ]);
});

test("[C50] reconciling does not change the world passed in", () => {
  const world = aWorld(three, [aService()]);
  const plan = planOf(world);
  expect(world.tasks.size).toBe(0);
  expect(applyPlan(world, plan).tasks.size).toBe(2);
  expect(world.tasks.size).toBe(0);
});

function planOf(world: World, nowMs = now): Plan {
  return reconcile(world, { nowMs, newId: ids("new") });
}

let newIds = ids("s");

/** The world with its plan applied. */
function reconciled(world: World, nowMs = now): World {
  return applyPlan(world, reconcile(world, { nowMs, newId: newIds }));
}

/** The world with its plan applied, after which another plan is empty. */
function settled(world: World, nowMs = now): World {
  const after = reconciled(world, nowMs);
  expect(reconcile(after, { nowMs, newId: newIds })).toMatchObject({ tasks: [], removed: [], services: [] });
  return after;
}

function withNode(world: World, nodeId: string | null, change: Partial<MeshNode>): World {
  const node = world.nodes.get(nodeId ?? "");
  if (node === undefined) throw new Error("no such node");
  return { ...world, nodes: new Map(world.nodes).set(node.id, { ...node, ...change }) };
}

/** The newest task that the service wants and made from its current spec. */
function latestOf(world: World, { runHash }: Service): Task {
  const task = wanted(world).findLast((one) => one.runHash === runHash);
  if (task === undefined) throw new Error("no such task");
  return task;
}

function created(plan: Plan): readonly Task[] {
  return plan.tasks.filter(({ id: taskId }) => taskId.startsWith("new"));
}

function id(letter: string): string {
  return letter.padEnd(25, "0");
}

/** The world after the task's agent reported this state. */
function reported(world: World, task: Task | undefined, state: ReportedState, atMs = now): World {
  const found = world.tasks.get(task?.id ?? "");
  if (found === undefined) throw new Error("no such task");
  const changed = applyReport(found, { ...found, state, atMs });
  return { ...world, tasks: new Map(world.tasks).set(found.id, changed) };
}

function wanted(world: World): readonly Task[] {
  return [...world.tasks.values()].filter((task) => task.desired === "running" && isAlive(task));
}

/** The wanted tasks except one; at least one. */
function wantedBesides(world: World, except: Task): [Task, ...Task[]] {
  const [first, ...rest] = wanted(world).filter((task) => task.id !== except.id);
  if (first === undefined) throw new Error("no other task");
  return [first, ...rest];
}

/**
 * Lets a task of the service fail again and again; returns the delay and the error text of each successor.
 */
function restartDelays(
  service: Service,
  times: number,
  livesMs: readonly number[] = [],
  stateReached: ReportedState = "running",
): [number, string][] {
  newIds = ids("s");
  const delays: [number, string][] = [];
  let nowMs = now;
  let world = reconciled(aWorld(three, [service]), nowMs);
  for (let time = 0; time < times; time += 1) {
    const [live] = wanted(world);
    if (live === undefined) break;
    nowMs = Math.max(nowMs, live.notBeforeMs);
    world = reconciled(world, nowMs);
    const started = reported(world, live, stateReached, nowMs);
    nowMs += livesMs[time] ?? 10;
    world = reconciled(reported(started, live, "failed", nowMs), nowMs);
    const [next] = wanted(world);
    if (next !== undefined) delays.push([next.notBeforeMs - nowMs, next.state === "pending" ? next.err : ""]);
  }
  return delays;
}
