import { expect, test } from "vitest";
import { currentTargets } from "../../../src/local/platform-watch.ts";

test("[J401] heaps are measured of the Worker and of the newest isolate in each place", () => {
  const ids = [
    "core:entry",
    "core:user:waggle",
    "LOADER:isolate-0-9",
    "LOADER:isolate-0-10",
    "LOADER:isolate-1-0",
    "outbound:0",
  ];
  const targets = ids.map((id) => ({ id, webSocketDebuggerUrl: `ws://127.0.0.1:1/${id}` }));
  expect(currentTargets(targets).map(({ id }) => id)).toEqual([
    "core:user:waggle",
    "LOADER:isolate-0-10",
    "LOADER:isolate-1-0",
  ]);
});
