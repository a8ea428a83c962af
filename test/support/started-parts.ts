// The parts that a test starts, such as servers and data planes.

import { afterAll, afterEach, expect } from "vitest";

type Part = { readonly stop: () => Promise<void> };

/**
 * Stops parts after each test of the file, in reverse order of their starts.
 *
 * @returns a function that waits for a part to start, and registers it
 */
export function startedParts(): <T extends Part>(starting: Promise<T>) => Promise<T> {
  const started: Part[] = [];
  afterEach(async () => {
    for (const part of started.splice(0)) await part.stop();
  });
  afterAll(() => expect(started).toEqual([]));
  return async (starting) => {
    const part = await starting;
    started.unshift(part);
    return part;
  };
}
