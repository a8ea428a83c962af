import { expect, test } from "vitest";
import { runningImages, serviceImageText } from "../../../../src/domain/model/service-image.ts";
import type { Task } from "../../../../src/domain/model/task.ts";
import { aService, aTask } from "../../../support/world.ts";

const tasksOf = (...images: readonly string[]): readonly Task[] =>
  images.map((image, index) => {
    const task = aTask(aService(), { slot: index + 1 });
    return { ...task, run: { ...task.run, image } };
  });

test.each([
  [tasksOf(), "app:2"],
  [tasksOf("app:2", "app:2"), "app:2"],
  [tasksOf("app:1", "app:1"), "app:1 (not updated to app:2)"],
  [tasksOf("app:1", "app:2", "app:1"), "app:2, and app:1 in 2 of 3 tasks"],
  [tasksOf("app:0", "app:1", "app:1"), "app:1, app:0 (not updated to app:2)"],
])("[U532] an image that tasks run in place of the spec's is named", (tasks, text) => {
  expect(serviceImageText("app:2", runningImages(tasks))).toBe(text);
});

test("[U532] ended tasks do not count, and images that differ by their digest are printed with it", () => {
  const [task] = tasksOf("app:1");
  if (task === undefined) throw new Error("no task");
  expect(runningImages([{ ...task, state: "failed" }])).toEqual([]);
  const short = (image: string) => image.split("@")[0] ?? "";
  expect(serviceImageText("app:1@sha256:b", runningImages(tasksOf("app:1@sha256:a")), short)).toBe(
    "app:1@sha256:a (not updated to app:1@sha256:b)",
  );
});
