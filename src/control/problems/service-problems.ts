// The problems of one service: why it is down, why slots have no healthy task, and what stopped its update. Each cause
// is one problem, however many tasks it concerns.

import type { MeshNode } from "../../domain/model/node.ts";
import {
  type FailureStreak,
  isAlive,
  isWanted,
  slotOf,
  type Task,
  taskName,
} from "../../domain/model/task.ts";
import { failureStreak, loopEndsAfterMs } from "../../domain/orchestrator/restart.ts";
import type { StatusProblem } from "../../protocol/status.ts";
import type { ServerView, ServiceView } from "../../registry/api.ts";
import { isServiceDown } from "./availability.ts";
import type { PlacementReader } from "./placement.ts";
import { endedCause, startingCause, type TaskCause, unhealthyCause } from "./task-cause.ts";
import { countText, listText } from "./words.ts";

/** Tasks named in one problem; the others are counted. */
const maxNamedTasks = 3;
/** From as many failures in a row on, a slot whose newest task runs is in a restart loop. */
const loopFailures = 3;

/** A service, and what the mesh has for it. */
export type ServiceState = {
  readonly service: ServiceView;
  readonly tasks: readonly Task[];
  readonly servers: readonly ServerView[];
  readonly isDown: boolean;
  readonly mesh: MeshIndex;
};

/** The nodes of the mesh, and why one cannot take a task. */
export type MeshIndex = {
  /** The mesh's clock, epoch milliseconds. */
  readonly nowMs: number;
  readonly nodeById: ReadonlyMap<string, MeshNode>;
  readonly placement: PlacementReader;
};

export function serviceStateOf(
  service: ServiceView,
  tasks: readonly Task[],
  servers: readonly ServerView[],
  mesh: MeshIndex,
): ServiceState {
  const { nodeById } = mesh;
  return { service, tasks, servers, mesh, isDown: isServiceDown(service, { tasks, servers, nodeById }) };
}

export function taskProblems(state: ServiceState): StatusProblem[] {
  const { service, tasks, mesh } = state;
  const slots = Map.groupBy(tasks, slotOf);
  const causes = [...slots.values()].flatMap((slot) => slotCauses(slot, state));
  const groups = [...Map.groupBy(causes, ({ cause }) => cause.key).values()];
  const rollout = rolloutText(service, tasks);
  const introductions = [rollout.text, shortageText(state)].filter((text) => text !== "");
  if (groups.length > 0) return groups.map((group) => problemOf(group, introductions, rollout.goBack, state));
  const refusal =
    service.spec.mode.kind === "global" && slots.size === 0
      ? mesh.placement.refusal(service, null, null)
      : null;
  if (refusal !== null) {
    return [problem(state, `no node can run a task: ${refusal.text}`, refusal.next, service.updatedAtMs)];
  }
  if (introductions.length === 0) return [];
  const next = rollout.text === "" ? "Tasks are starting: wait a moment." : rollout.next;
  return [problem(state, introductions.join("; "), next, rollout.sinceMs)];
}

type SlotCause = {
  readonly name: string;
  readonly task: Task;
  readonly cause: TaskCause;
  /** A task of the slot runs. */
  readonly runs: boolean;
  /** The failures in a row of which the cause is the last one. */
  readonly streak?: FailureStreak;
};

/** Why a slot has no healthy task of the current version; empty if it has, or is not wanted. */
function slotCauses(slot: readonly Task[], { service, mesh }: ServiceState): SlotCause[] {
  const of = (task: Task, cause: TaskCause, runs = false, streak?: FailureStreak): SlotCause => {
    return {
      name: shownTaskName(service, task, mesh.nodeById),
      task,
      cause,
      runs,
      ...(streak && { streak }),
    };
  };
  const wanted = slot.filter(isWanted);
  const running = wanted.filter(({ state }) => state === "running");
  const unhealthy = running
    .filter(({ health }) => health?.verdict === "unhealthy")
    .map((task) => of(task, unhealthyCause(service, task), true));
  const last = slot.findLast((task) => !isAlive(task));
  const current = running.find(({ runHash }) => runHash === service.runHash);
  if (current !== undefined) {
    const streak = loopOf(current, mesh.nowMs);
    if (streak === null || last === undefined || unhealthy.length > 0) return unhealthy;
    const cause = endedCause(service, last, mesh.nodeById);
    return [of(current, { ...cause, key: `restarted ${cause.key}` }, true, streak)];
  }
  // Nothing of the current version runs: while an update waits for its turn, that is no fault.
  const waiting = wanted.find(({ state }) => state !== "running");
  const outgoing = running[0] ?? null;
  if (waiting?.err.startsWith("no suitable node")) {
    return [...unhealthy, of(waiting, unplacedCause(service, waiting, outgoing, mesh))];
  }
  if (last !== undefined && explains(last, { service, waiting, outgoing })) {
    const hasSuccessor = waiting !== undefined || outgoing !== null;
    const cause = endedCause(service, last, mesh.nodeById, hasSuccessor);
    const streak = last.state === "complete" ? undefined : (waiting?.failures ?? failureStreak(last));
    return [...unhealthy, of(last, cause, false, streak)];
  }
  if (outgoing !== null || waiting === undefined) return unhealthy;
  return [of(waiting, startingCause(service, waiting, mesh.nodeById))];
}

/** The failures before a task that has not run for long enough to end its restart loop. */
function loopOf({ failures, ranSinceMs, stateSinceMs }: Task, nowMs: number): FailureStreak | null {
  if (failures === undefined || failures.count < loopFailures) return null;
  return nowMs - (ranSinceMs ?? stateSinceMs) > loopEndsAfterMs ? null : failures;
}

/** True if the last task of a slot is the reason why nothing of the current version runs in it. */
function explains(
  last: Task,
  {
    service,
    waiting,
    outgoing,
  }: { readonly service: ServiceView; readonly waiting: Task | undefined; readonly outgoing: Task | null },
): boolean {
  const isFailure = last.state === "failed" || last.state === "rejected";
  if (waiting !== undefined || outgoing !== null) return isFailure && last.runHash === service.runHash;
  // Its restart policy allows the slot no further task.
  const hasEnded = isFailure || (last.state === "complete" && service.spec.mode.kind === "replicated");
  return last.desired === "running" && hasEnded;
}

function unplacedCause(
  service: ServiceView,
  task: Task,
  outgoing: Task | null,
  { placement }: MeshIndex,
): TaskCause {
  const refusal = placement.refusal(service, task, outgoing?.nodeId ?? null);
  const next = refusal?.next ?? "A node may have room now: the mesh tries again.";
  const text = `${task.state}: no suitable node: ${refusal?.text ?? task.err.replace(/^no suitable node ?/, "")}`;
  return { key: text, text, next, sinceMs: task.createdAtMs };
}

function problemOf(
  group: readonly SlotCause[],
  introductions: readonly string[],
  goBack: string,
  state: ServiceState,
): StatusProblem {
  const [first] = group;
  if (first === undefined) throw new Error("a cause without a task");
  const { cause } = first;
  const text = groupText(group);
  const sinceMs = Math.min(...group.map((one) => one.streak?.sinceMs ?? one.cause.sinceMs));
  const names = listText(
    group.map(({ name }) => name),
    maxNamedTasks,
  );
  // A task that runs is no reason for a shortage.
  const heads = first.runs ? [] : introductions;
  if (group.length === 1 && heads.length === 0) {
    return { ...problem(state, text, cause.next, sinceMs), what: `task ${names}` };
  }
  const next = [cause.next, ...(goBack === "" || first.runs ? [] : [goBack])].join(" ");
  return problem(state, [...heads, `${names} ${text}`].join("; "), next, sinceMs);
}

/** What happened to tasks with one cause: the longest of their texts, which has the most output, and their failures. */
function groupText(group: readonly SlotCause[]): string {
  const [{ cause, runs } = { cause: { text: "" }, runs: false }] = group.toSorted(
    (a, b) => b.cause.text.length - a.cause.text.length,
  );
  const failures = Math.max(...group.map(({ streak }) => streak?.count ?? 0));
  if (runs && failures > 0) return `restarted after ${failures} failures in a row: ${cause.text}`;
  return failures > 1 ? `${cause.text}; ${failures} failures in a row` : cause.text;
}

function problem(
  { service: { spec }, isDown }: ServiceState,
  why: string,
  next: string,
  sinceMs: number | null,
): StatusProblem {
  const severity = isDown ? ({ severity: "bad", headline: `${spec.name} is down` } as const) : {};
  return {
    what: `service ${spec.name}`,
    why,
    next,
    sinceMs,
    service: spec.name,
    severity: "warn",
    ...severity,
  };
}

/** `1 of 2 tasks running`; empty if all run. */
function shortageText({ service: { running, desiredTasks } }: ServiceState): string {
  return running >= desiredTasks ? "" : `${running} of ${countText(desiredTasks, "task")} running`;
}

type RolloutText = {
  /** Empty if nothing stopped it. */
  readonly text: string;
  readonly next: string;
  /** The step that gives up the update, as a sentence; empty without one. */
  readonly goBack: string;
  readonly sinceMs: number | null;
};

/**
 * What stopped the last update. Its remaining slots run the spec before it, so that the service may look well while
 * it shows an image that no task runs.
 */
function rolloutText({ spec: { name }, update }: ServiceView, tasks: readonly Task[]): RolloutText {
  const failed = tasks.find(({ id }) => id === update?.failedTask);
  const why = failed === undefined ? "" : `: ${failed.err || failed.message}`;
  const sinceMs = update?.completedAtMs ?? update?.sinceMs ?? null;
  const of = (text: string, next: string, goBack = ""): RolloutText => ({ text, next, goBack, sinceMs });
  switch (update?.state) {
    case "paused": {
      const goBack = `To go back: \`waggle service update --rollback ${name}\`.`;
      return of(update.message, `Correct it with \`waggle service update\`. ${goBack}`, goBack);
    }
    case "rollback_paused":
      return of(update.message, "Correct it with `waggle service update`.");
    case "rollback_started":
    case "rollback_completed": {
      if (update.failedTask === undefined) return of("", "");
      const text =
        update.state === "rollback_started"
          ? `${update.message}${why}`
          : `the last update failed and was rolled back${why}`;
      const next = `Correct it and update again; to keep the version that runs: \`waggle service update ${name}\`.`;
      return of(text, next);
    }
    default:
      return of("", "");
  }
}

/** `my-web.1`; the name of its node in place of the slot for a task of a global service. */
export function shownTaskName(
  { spec }: ServiceView,
  task: Task,
  nodeById: ReadonlyMap<string, MeshNode>,
): string {
  const id = task.nodeId ?? task.forNode ?? null;
  return taskName(spec.name, { ...task, nodeId: nodeById.get(id ?? "")?.hostname ?? id });
}

/** A service that is down although no task or server explains it. */
export function downWithoutCause(state: ServiceState): StatusProblem {
  const { tasks, servers } = state;
  const running = tasks.filter((task) => isWanted(task) && task.state === "running");
  const outOfService = [...running, ...servers].filter(({ admin = "ready" }) => admin !== "ready").length;
  const starting = running.filter(({ health }) => health?.verdict === "starting").length;
  const reasons = [
    ...(starting > 0 ? [`${starting} starting`] : []),
    ...(outOfService > 0 ? [`${outOfService} in drain or maint`] : []),
  ];
  const next =
    outOfService > 0
      ? "Put one of them back: `waggle server set SERVER --admin ready`, or on the service's page."
      : "Its checks have not passed yet: wait a moment.";
  const why = `none of its ${targetsText(running.length, servers.length)} can take a request`;
  const detail = reasons.length === 0 ? why : `${why}: ${reasons.join(", ")}`;
  return problem(state, detail, next, null);
}

/** `2 tasks and 1 static server`. */
function targetsText(tasks: number, servers: number): string {
  return [
    ...(tasks > 0 || servers === 0 ? [countText(tasks, "task")] : []),
    ...(servers > 0 ? [countText(servers, "static server")] : []),
  ].join(" and ");
}
