// A mesh under the rules of Cloudflare's platform: its report, and a service that responds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MeshPlatformReport } from "../../src/local/local-platform.ts";
import { freePort, type MeshProcess } from "./mesh-process.ts";
import { until } from "./until.ts";

/** What the platform has counted so far. @throws while there is no report yet */
export function platformReport({ stateDir }: MeshProcess): MeshPlatformReport {
  return JSON.parse(readFileSync(join(stateDir, "edge.json"), "utf8")) as MeshPlatformReport;
}

/** Publishes the service `web` and waits until it responds. @returns its URL */
export async function publishWeb(mesh: MeshProcess, replicas: number): Promise<string> {
  const port = await freePort();
  const flags = ["--detach", "--name", "web", "-p", `${port}:80`, "--replicas", String(replicas)];
  const { code, err } = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  if (code !== 0) throw new Error(`waggle service create: ${err}`);
  const url = `http://127.0.0.1:${port}/`;
  await until("the service to respond", async () => (await fetch(url)).ok, { withinMs: 60_000 });
  return url;
}
