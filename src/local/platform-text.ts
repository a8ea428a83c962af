// What `waggle up --edge` prints about the platform's rules: those that apply at the start, and what came of them at
// the end.

import type { MeshPlatformReport } from "./local-platform.ts";
import type { PlatformSettings } from "./platform/platform-settings.ts";

/** Limits of an isolate. */
const maxHeapBytes = 128 * 2 ** 20;
const freeCpuMs = 10;

/** The line of the start. */
export function rulesText(settings: PlatformSettings): string {
  const { rttMs, isolates, evictEveryMs, resetEveryMs, requestsPerSecond, rowsPerDay, seed } = settings;
  const parts = [
    `objects ${rttMs} ms away`,
    `${isolates} isolates${evictEveryMs === 0 ? "" : `, one evicted every ${secondsText(evictEveryMs)}`}`,
    ...(resetEveryMs === 0 ? [] : [`an object reset every ${secondsText(resetEveryMs)}`]),
    `${requestsPerSecond} requests/s for each object`,
    ...(rowsPerDay === null ? [] : [`${rowsPerDay.written} rows written a day`]),
    `seed ${seed}`,
  ];
  return `Cloudflare's rules: ${parts.join("; ")}`;
}

/** The lines of the end. */
export function reportLines(report: MeshPlatformReport): readonly string[] {
  const { requests, evictions, objectRequests, overloads, resets, rows, heap, cpuMsPerRequest, network } =
    report;
  const errors = Object.entries(network.errors).map(([code, count]) => `${count} x ${code}`);
  return [
    "Under Cloudflare's rules:",
    `  requests        ${requests} to the data plane; ${evictions} isolates evicted`,
    `  objects         ${objectRequests} requests, ${overloads} refused as overloaded; ${resets} resets`,
    `  rows            ${rows.read} read, ${rows.written} written`,
    `  fetch           ${network.requests} to the Internet, of which a cache may answer ${network.cacheable}; failed: ${errors.join(", ") || "none"}`,
    `  heap            ${megabytes(heap.objects)} MB with all objects, ${megabytes(heap.isolate)} MB of an isolate, of ${megabytes(maxHeapBytes)} MB`,
    `  CPU             ${cpuMsPerRequest === null ? "no requests" : `${cpuMsPerRequest.toFixed(2)} ms for each request, objects included; Workers Free: ${freeCpuMs} ms`}`,
  ];
}

function secondsText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1).replace(/\.0$/, "");
}
