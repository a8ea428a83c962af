// The length of the request path: the files and named functions that a warm GET enters, by V8's coverage.
//
// The GET goes edge → ingress → static server, or with --gateway to a task behind its node's gateway, all in
// this process. The server and the gateway are functions, and the entry points in workers/ are not counted.
// `node test/bench/request-path.ts` prints one line per file; with --json it prints only the counts.

import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import { serviceOf, tableOf } from "../support/dataplane.ts";
import { inProcessPlane } from "../unit/ingress/in-process-plane.ts";
import { gatewayTable, testGateway } from "../unit/ingress/test-gateway.ts";

/** Functions entered, by file below src/. */
export type RequestPath = ReadonlyMap<string, readonly string[]>;

const warmUps = 200;

/** Sends GETs until all caches are filled, then records the functions of one more. */
export async function measureRequestPath(throughGateway: boolean): Promise<RequestPath> {
  const table = throughGateway
    ? gatewayTable(1)
    : tableOf(1, serviceOf("my-web", 8080, ["http://a", "http://b"]));
  const dialGateway = testGateway(() => undefined);
  const { send } = inProcessPlane(table, {}, { flush: async () => undefined, dialGateway });
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
  const path = await measureRequestPath(process.argv.includes("--gateway"));
  const counts = countRequestPath(path);
  if (process.argv.includes("--json")) console.log(JSON.stringify(counts));
  else {
    for (const [file, names] of path) console.log(`${file}: ${names.join(", ")}`);
    console.log(`a warm GET enters ${counts.files} files and ${counts.functions} named functions`);
  }
  // What the router does behind the request goes on for half a minute.
  process.exit();
}
