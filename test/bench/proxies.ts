// The measured proxies: a minimal proxy Worker and the mesh, each in its own workerd of the same build.

import { readdirSync, readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { entryKey, serviceOf, startPlane, tableOf } from "../support/dataplane.ts";

/** A running proxy in front of the task. */
export type MeasuredProxy = {
  readonly port: number;
  readonly authority: string;
  /** Process id of its workerd. */
  readonly pid: number;
  /** Process id of the agent behind it. */
  readonly agentPid?: number;
  readonly stop: () => Promise<void>;
};

/** Functions that start a proxy in front of a task's origin, by name. The first is the baseline. */
export type ProxyStarters = Readonly<Record<string, (origin: string) => Promise<MeasuredProxy>>>;

/** The mesh, and the proxy it is compared with. */
export const baseProxies: ProxyStarters = {
  "three-line proxy": (origin) => startProxy(threeLines(origin)),
  "edge → ingress → task": (origin) => startWaggle(origin, false),
};

/**
 * The same with telemetry on, and a proxy that only handles headers, which shows how much of the mesh's cost
 * is owed to them.
 */
export const trafficProxies: ProxyStarters = {
  ...baseProxies,
  "edge → ingress → task": (origin) => startWaggle(origin, true),
  "three lines and the headers' rules": (origin) => startProxy(sameHeaders(origin)),
};

/** Starts one proxy of each kind, in order. */
export async function startAll(starters: ProxyStarters, origin: string): Promise<readonly MeasuredProxy[]> {
  const proxies: MeasuredProxy[] = [];
  for (const start of Object.values(starters)) proxies.push(await start(origin));
  return proxies;
}

function threeLines(origin: string): string {
  return `export default {
    fetch(request) {
      const url = new URL(request.url);
      url.host = ${JSON.stringify(new URL(origin).host)};
      return fetch(new Request(url, request));
    },
  };`;
}

/** A minimal proxy that sets the forwarding headers, loop mark and X-Request-Id as the mesh does. */
function sameHeaders(origin: string): string {
  return `export default {
    async fetch(request) {
      const url = new URL(request.url);
      const id = crypto.randomUUID();
      const outgoing = new Request(${JSON.stringify(origin)} + url.pathname + url.search, request);
      outgoing.headers.set("x-forwarded-for", "203.0.113.7");
      outgoing.headers.set("x-forwarded-host", url.host);
      outgoing.headers.set("x-forwarded-proto", "http");
      outgoing.headers.set("forwarded", "for=203.0.113.7;host=" + url.host + ";proto=http");
      outgoing.headers.set("x-waggle-loop", "my-web.waggle");
      outgoing.headers.set("x-request-id", id);
      const upstream = await fetch(outgoing);
      const response = new Response(upstream.body, upstream);
      for (const name of ["connection", "keep-alive"]) response.headers.delete(name);
      response.headers.set("x-request-id", id);
      return response;
    },
  };`;
}

async function startProxy(contents: string): Promise<MeasuredProxy> {
  const before = workerds();
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    logRequests: false,
    workers: [
      {
        config: {
          name: "baseline",
          compatibilityDate: "2026-11-01",
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents } },
          },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
    ],
  });
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL("baseline");
  return {
    port: Number(url.port),
    authority: url.host,
    pid: newWorkerd(before),
    stop: () => miniflare.dispose(),
  };
}

/** The data plane, with the socket of its listeners. */
export type MeasuredPlane = MeasuredProxy & { readonly entryPort: number; readonly entryKey: string };

/** Starts the data plane. Requests name the service by host name, as in a deployed mesh. */
export async function startWaggle(origin: string, telemetry: boolean): Promise<MeasuredPlane> {
  const before = workerds();
  const plane = await startPlane(tableOf(1, serviceOf("my-web", 8080, [origin, origin])), {}, telemetry);
  return {
    port: Number(new URL(plane.hostOrigin).port),
    authority: `my-web.${plane.domain}`,
    entryPort: plane.port,
    entryKey,
    pid: newWorkerd(before),
    stop: plane.stop,
  };
}

/** Process ids of the workerd processes that this process has started. */
export function workerds(): ReadonlySet<number> {
  const own = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOwnWorkerd(name));
  return new Set(own.map(Number));
}

function isOwnWorkerd(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.includes("(workerd)") && Number(fieldsAfterName(stat)[1]) === process.pid;
  } catch {
    return false; // The process has ended.
  }
}

/** The workerd that was started since. */
export function newWorkerd(before: ReadonlySet<number>): number {
  const pid = [...workerds()].find((candidate) => !before.has(candidate));
  if (pid === undefined) throw new Error("cannot find the workerd that was just started");
  return pid;
}

/**
 * The fields of /proc/PID/stat from the third on (proc(5)). The second field, the name, may contain spaces.
 */
function fieldsAfterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** User and system CPU time of a process, milliseconds. A clock tick is 10 ms. */
export function cpuMs(pid: number): number {
  const fields = fieldsAfterName(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process, bytes. */
export function memoryBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
