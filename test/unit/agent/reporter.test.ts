import { expect, test } from "vitest";
import { Reporter } from "../../../src/agent/reporter.ts";
import type { TaskReport } from "../../../src/protocol/agent.ts";
import { settle } from "../../support/fake-runtime.ts";
import { until } from "../../support/until.ts";

test("[N26] changes of one turn are sent in one message, with the latest report of each task", async () => {
  const { reporter, sent, states } = newReporter();
  reporter.markChanged("a", "state");
  states.set("a", "preparing");
  reporter.markChanged("a", "state");
  reporter.markChanged("b", "health");
  await settle();
  await settle();
  expect(sent).toEqual([["a preparing", "b accepted"]]);
});

test("[N26] a step of a health counter is sent after a short delay", async () => {
  const { reporter, sent } = newReporter();
  reporter.markChanged("a", "health");
  await settle();
  expect(sent).toEqual([]);
  await until("the report", () => sent[0]);
  expect(sent).toEqual([["a accepted"]]);
});

test("[N26] a removed task, and reports that a hello has carried, are not sent", async () => {
  const { reporter, sent } = newReporter();
  reporter.markChanged("removed", "state");
  await settle();
  reporter.markChanged("a", "state");
  reporter.clear();
  reporter.flush();
  await settle();
  expect(sent).toEqual([]);
});

function newReporter() {
  const states = new Map<string, TaskReport["state"]>([
    ["a", "accepted"],
    ["b", "accepted"],
  ]);
  const sent: string[][] = [];
  const reporter = new Reporter(
    (tasks) => {
      sent.push(tasks.map(({ id, state }) => `${id} ${state}`));
      return true;
    },
    (id) => {
      const state = states.get(id);
      return state === undefined ? null : ({ id, state } as TaskReport);
    },
  );
  return { reporter, sent, states };
}
