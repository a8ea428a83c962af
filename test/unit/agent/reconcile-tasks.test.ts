import { expect, test } from "vitest";
import { reconcileTasks, type TaskPhase } from "../../../src/agent/reconcile-tasks.ts";
import { assignedTask, taskId } from "../../support/fake-registry.ts";

const a = assignedTask("a");

test.each([
  ["assigned and unknown is started", [a], [], [{ kind: "start", task: a }]],
  ["assigned and alive is left alone", [a], [["a", "alive"]], []],
  ["assigned and ended never starts again", [a], [["a", "ended"]], []],
  [
    "to shut down and alive is stopped",
    [wanting("shutdown")],
    [["a", "alive"]],
    [{ kind: "stop", id: a.id }],
  ],
  ["to be removed and alive is stopped", [wanting("remove")], [["a", "alive"]], [{ kind: "stop", id: a.id }]],
  ["on its way down is not stopped again", [wanting("shutdown")], [["a", "stopping"]], []],
  ["on its way down does not come back", [a], [["a", "stopping"]], []],
  [
    "to shut down and unknown is declined",
    [wanting("shutdown")],
    [],
    [{ kind: "decline", task: wanting("shutdown") }],
  ],
  ["not assigned and alive is stopped", [], [["a", "alive"]], [{ kind: "stop", id: a.id }]],
  ["not assigned and on its way down is waited for", [], [["a", "stopping"]], []],
  ["not assigned and ended is forgotten", [], [["a", "ended"]], [{ kind: "forget", id: a.id }]],
] as const)("[N23] a task %s", (_what, assigned, known, actions) => {
  expect(reconcileTasks(assigned, phases(known), true)).toEqual(actions);
});

test("[N51] a leaving node starts nothing, and still stops", () => {
  expect(reconcileTasks([a], phases([]), false)).toEqual([]);
  expect(reconcileTasks([], phases([["a", "alive"]]), false)).toEqual([{ kind: "stop", id: a.id }]);
});

function wanting(desired: "shutdown" | "remove") {
  return { ...assignedTask("a"), desired };
}

function phases(known: readonly (readonly [string, TaskPhase])[]): Map<string, TaskPhase> {
  return new Map(known.map(([name, phase]) => [taskId(name), phase]));
}
