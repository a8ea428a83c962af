// The image of a service as people read it: during an update, or after one that stopped, tasks run another one.

import { isAlive, type Task } from "./task.ts";

/** An image, and how many tasks of a service run it. */
export type RunningImage = { readonly image: string; readonly tasks: number };

/** The images that tasks run, the most frequent one first. */
export function runningImages(tasks: readonly Task[]): readonly RunningImage[] {
  const running = tasks.filter((task) => isAlive(task) && task.state === "running");
  return [...Map.groupBy(running, ({ run }) => run.image)]
    .map(([image, { length }]) => ({ image, tasks: length }))
    .sort((a, b) => b.tasks - a.tasks || (a.image < b.image ? -1 : 1));
}

/**
 * `my/app:2`; `my/app:1 (not updated to my/app:2)`; `my/app:2, and my/app:1 in 2 of 3 tasks`.
 *
 * @param wanted the image of the spec
 * @param short shortens an image
 */
export function serviceImageText(
  wanted: string,
  running: readonly RunningImage[],
  short: (image: string) => string = (image) => image,
): string {
  const others = running.filter(({ image }) => image !== wanted);
  if (others.length === 0) return short(wanted);
  const images = [wanted, ...others.map(({ image }) => image)];
  // Shortened, images that differ by their digest would be the same.
  const shown = new Set(images.map(short)).size === images.length ? short : (image: string) => image;
  const otherText = others.map(({ image }) => shown(image)).join(", ");
  if (others.length === running.length) return `${otherText} (not updated to ${shown(wanted)})`;
  const count = (images: readonly RunningImage[]) => images.reduce((sum, { tasks }) => sum + tasks, 0);
  return `${shown(wanted)}, and ${otherText} in ${count(others)} of ${count(running)} tasks`;
}
