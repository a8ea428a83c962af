// Requests to replace a process, by its signal.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readOutcome } from "../../../src/local/reload-file.ts";
import { ReloadRequests } from "../../../src/local/reload-requests.ts";

test("[U609] requests during a replacement are carried out after it, by one more, and its outcome has a later begin", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-requests-"));
  const running: PromiseWithResolvers<string>[] = [];
  const requests = new ReloadRequests(
    folder,
    () => undefined,
    () => {
      const next = Promise.withResolvers<string>();
      running.push(next);
      return next.promise;
    },
  );
  try {
    for (let signal = 0; signal < 5; signal += 1) process.emit("SIGUSR2");
    expect(running).toHaveLength(1);
    running[0]?.reject(new Error("refused"));
    await expect.poll(() => running.length).toBe(2);
    const first = readOutcome(folder);
    expect(first).toMatchObject({ isDone: false, text: "refused", number: 1 });
    running[1]?.resolve("done");
    await requests.settled();
    const last = readOutcome(folder);
    expect(last).toMatchObject({ isDone: true, text: "done", number: 2 });
    expect(last?.begunMs).toBeGreaterThanOrEqual(first?.begunMs ?? Number.POSITIVE_INFINITY);
    expect(running).toHaveLength(2);
  } finally {
    requests.close();
    rmSync(folder, { recursive: true });
  }
});
