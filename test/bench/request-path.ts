// The length of the request path: the files and named functions that a warm GET enters, by V8's coverage.
//
// The GET goes edge → ingress → task in this process. The task is a function, and the entry points in
// workers/ are not counted. `node test/bench/request-path.ts` prints one line per file; with --json it prints
// only the counts.

import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import { serviceOf, tableOf } from "../support/dataplane.ts";
import { inProcessPlane } from "../unit/ingress/in-process-plane.ts";

/** Functions entered, by file below src/. */
export type RequestPath = ReadonlyMap<string, readonly string[]>;

const warmUps = 200;

/** Sends GETs until all caches are filled, then records the functions of one more. */
export async function measureRequestPath(): Promise<RequestPath> {
  const table = tableOf(1, serviceOf("my-web", 8080, ["http://a", "http://b"]));
  const { send } = inProcessPlane(table, {}, { flush: async () => undefined });
  const request = { entry: { role: "edge", node: null }, path: "/hello?n=1" } as const;
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    for (let count = 0; count < warmUps; count += 1) await send(request);
    await session.post("Profiler.takePreciseCoverage");
    const response = await send(request);
    if (response.status !== 200) throw new Error(`the GET got status ${response.status}`);
    const { result } = await session.post("Profiler.takePreciseCoverage");
    return pathOf(result);
  } finally {
    session.disconnect();
  }
}

type ScriptCoverage = {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly { readonly count: number }[];
  }[];
};

function pathOf(scripts: readonly ScriptCoverage[]): RequestPath {
  const sources = new URL("../../src/", import.meta.url).href;
  const path = new Map<string, readonly string[]>();
  for (const { url, functions } of scripts) {
    const entered = functions.filter(({ functionName, ranges }) => functionName !== "" && ranges[0]?.count);
    if (url.startsWith(sources) && entered.length > 0) {
      path.set(
        url.slice(sources.length),
        entered.map(({ functionName }) => functionName),
      );
    }
  }
  return path;
}

/** @returns `{ files, functions }` */
export function countRequestPath(path: RequestPath): { readonly files: number; readonly functions: number } {
  const functions = [...path.values()].reduce((sum, names) => sum + names.length, 0);
  return { files: path.size, functions };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = await measureRequestPath();
  const counts = countRequestPath(path);
  if (process.argv.includes("--json")) console.log(JSON.stringify(counts));
  else {
    for (const [file, names] of path) console.log(`${file}: ${names.join(", ")}`);
    console.log(`a warm GET enters ${counts.files} files and ${counts.functions} named functions`);
  }
}
