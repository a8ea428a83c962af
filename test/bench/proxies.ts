// The ways a request can take to a task: the shortest proxy Worker there is, and the mesh's edge and ingress, each in a
// workerd of its own, of the same build.

import { readdirSync, readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { serviceOf, startPlane, tableOf } from "../support/dataplane.ts";

/** What is measured: a way from a client to the task. */
export type MeasuredProxy = {
  readonly port: number;
  readonly authority: string;
  /** Process id of its workerd. */
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

/** Ways by name, the baseline first. */
export type ProxyStarters = Readonly<Record<string, (origin: string) => Promise<MeasuredProxy>>>;

/** The mesh, and what it is held against. */
export const baseProxies: ProxyStarters = {
  "three-line proxy": (origin) => startProxy(threeLines(origin)),
  "edge → ingress → task": (origin) => startWaggle(origin, false),
};

/** Besides: what of the difference is owed to the rules on headers, which no proxy that keeps them is spared. */
export const trafficProxies: ProxyStarters = {
  ...baseProxies,
  "three lines and the headers' rules": (origin) => startProxy(sameHeaders(origin)),
};

/** Starts one of each kind, in their order. */
export async function startAll(kinds: ProxyStarters, origin: string): Promise<readonly MeasuredProxy[]> {
  const ways: MeasuredProxy[] = [];
  for (const begin of Object.values(kinds)) ways.push(await begin(origin));
  return ways;
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

/** The shortest that tells the task who asked and through whom, and client and task the request's id. Decides nothing. */
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
      outgoing.headers.set("via", "1.1 my-web.waggle");
      outgoing.headers.set("x-request-id", id);
      const answer = await fetch(outgoing);
      const response = new Response(answer.body, answer);
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

/** Asked by host name, as a deployed mesh is. */
export async function startWaggle(origin: string, telemetry: boolean): Promise<MeasuredProxy> {
  const before = workerds();
  const plane = await startPlane(tableOf(1, serviceOf("my-web", 8080, [origin, origin])), {}, telemetry);
  return {
    port: Number(new URL(plane.hostOrigin).port),
    authority: `my-web.${plane.domain}`,
    pid: newWorkerd(before),
    stop: plane.stop,
  };
}

function workerds(): ReadonlySet<number> {
  const own = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOwnWorkerd(name));
  return new Set(own.map(Number));
}

function isOwnWorkerd(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.includes("(workerd)") && Number(fieldsAfterName(stat)[1]) === process.pid;
  } catch {
    return false; // It ended while we looked.
  }
}

function newWorkerd(before: ReadonlySet<number>): number {
  const pid = [...workerds()].find((one) => !before.has(one));
  if (pid === undefined) throw new Error("cannot find the workerd that was just started");
  return pid;
}

/** proc(5): the fields of stat from the third on; the second may have spaces in it. */
function fieldsAfterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** CPU time a process has used, user and system, milliseconds. The clock tick of Linux is 10 ms to programs. */
export function cpuMs(pid: number): number {
  const fields = fieldsAfterName(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Memory a process has in RAM, bytes. */
export function memoryBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
