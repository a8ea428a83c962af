// A mesh under the rules of Cloudflare's platform: its report, and a service that responds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MeshPlatformReport } from "../../src/local/local-platform.ts";
import { freshMs } from "../../src/proxy/routing/table-cache.ts";
import { freePort, type MeshProcess } from "./mesh-process.ts";
import { until } from "./until.ts";

/** What the platform has counted so far. @throws while there is no report yet */
export function platformReport({ stateDir }: MeshProcess): MeshPlatformReport {
  return JSON.parse(readFileSync(join(stateDir, "edge.json"), "utf8")) as MeshPlatformReport;
}

/**
 * Publishes the service `web` and waits until it responds at every isolate.
 *
 * @param times gets how long each response took, the first ones of the isolates among them, milliseconds
 * @returns its URL
 */
export async function publishWeb(mesh: MeshProcess, replicas: number, times: number[] = []): Promise<string> {
  const port = await freePort();
  const flags = ["--detach", "--name", "web", "-p", `${port}:80`, "--replicas", String(replicas)];
  const { code, err } = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  if (code !== 0) throw new Error(`waggle service create: ${err}`);
  const url = `http://127.0.0.1:${port}/`;
  // An isolate that has just got a table without a task refuses for as long as that counts as fresh.
  let respondsSinceMs: number | null = null;
  const respondsAnywhere = async () => {
    const beganMs = performance.now();
    const response = await fetch(url);
    await response.text();
    times.push(performance.now() - beganMs);
    respondsSinceMs = response.ok ? (respondsSinceMs ?? performance.now()) : null;
    return respondsSinceMs !== null && performance.now() - respondsSinceMs > 3 * freshMs;
  };
  await until("the service to respond", respondsAnywhere, { withinMs: 60_000, everyMs: 10 });
  return url;
}
