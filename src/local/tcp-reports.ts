// Reports the connections of mode tcp to the mesh: their counters to telemetry, failing tasks to the registry.

import type { TcpTraffic } from "../proxy/tcp/tcp-traffic.ts";
import { Flusher, flushIntervalMs } from "../telemetry/flusher.ts";
import { renewMs } from "../telemetry/meter.ts";

/** Sends a report, as src/control/router.ts reads it. Rejects if it has to be sent again. */
export type SendReport = (route: "suspects" | "counters", body: object) => Promise<unknown>;

/** How often suspects are looked for, milliseconds. */
const suspectsPollMs = 250;

/** Begins to report. @returns ends it, after a last report */
export function reportTcpTraffic(traffic: TcpTraffic, send: SendReport): () => Promise<void> {
  const { meter, suspects } = traffic;
  const flusher = new Flusher(meter, {
    send: (delta) => send("counters", delta),
    nowMs: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  let flushedMs = performance.now();
  let isUnsent = false;
  const flush = async (): Promise<void> => {
    const isDue = traffic.refresh() || isUnsent;
    // Open connections on which nothing happens are reported rarely.
    if (!isDue && performance.now() - flushedMs < renewMs) return;
    flushedMs = performance.now();
    isUnsent = !(await flusher.flush());
  };
  const reportSuspects = (): void => {
    const taskIds = suspects.hasAny ? suspects.due(Date.now()) : null;
    if (taskIds !== null) send("suspects", { taskIds }).catch(() => undefined);
  };
  const timers = [
    setInterval(() => void flush(), flushIntervalMs),
    setInterval(reportSuspects, suspectsPollMs),
  ];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await flush();
  };
}
