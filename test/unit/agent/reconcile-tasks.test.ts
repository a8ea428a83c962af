import { expect, test } from "vitest";
import { reconcileTasks, type TaskPhase } from "../../../src/agent/reconcile-tasks.ts";
import { assignedTask, taskId } from "../../support/fake-registry.ts";

const a = assignedTask("a");

test.each([
  ["assigned and unknown is started", [a], [], [{ kind: "start", task: a }]],
  ["assigned and alive is left unchanged", [a], [["a", "alive"]], []],
  ["assigned and ended never starts again", [a], [["a", "ended"]], []],
  [
    "with desired state shutdown and alive is stopped",
    [withDesired("shutdown")],
    [["a", "alive"]],
    [{ kind: "stop", id: a.id }],
  ],
  [
    "with desired state remove and alive is stopped",
    [withDesired("remove")],
    [["a", "alive"]],
    [{ kind: "stop", id: a.id }],
  ],
  ["that is stopping is not stopped again", [withDesired("shutdown")], [["a", "stopping"]], []],
  ["that is stopping does not start again", [a], [["a", "stopping"]], []],
  [
    "with desired state shutdown and unknown is declined",
    [withDesired("shutdown")],
    [],
    [{ kind: "decline", task: withDesired("shutdown") }],
  ],
  ["not assigned and alive is stopped", [], [["a", "alive"]], [{ kind: "stop", id: a.id }]],
  ["not assigned and stopping is left unchanged", [], [["a", "stopping"]], []],
  ["not assigned and ended is forgotten", [], [["a", "ended"]], [{ kind: "forget", id: a.id }]],
] as const)("[N23] a task %s", (_what, assigned, known, actions) => {
  expect(reconcileTasks(assigned, phases(known), true)).toEqual(actions);
});

test("[N51] a leaving node starts no task and still stops tasks", () => {
  expect(reconcileTasks([a], phases([]), false)).toEqual([]);
  expect(reconcileTasks([], phases([["a", "alive"]]), false)).toEqual([{ kind: "stop", id: a.id }]);
});

function withDesired(desired: "shutdown" | "remove") {
  return { ...assignedTask("a"), desired };
}

function phases(known: readonly (readonly [string, TaskPhase])[]): Map<string, TaskPhase> {
  return new Map(known.map(([name, phase]) => [taskId(name), phase]));
}
