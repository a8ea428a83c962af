// The calls of a data plane on a machine of its own: it has no bindings to the mesh's objects, and uses the
// routes of src/control/router.ts.

import { markedTokenRecognizer } from "../src/domain/model/mesh-token.ts";
import type { PlaneOptions } from "../src/proxy/plane.ts";
import type { RouterKeys } from "../src/proxy/routing/table-cache.ts";
import { type Delta, deltaText } from "../src/telemetry/delta.ts";
import type { RouterEnv } from "./env.ts";

/** A response that takes longer is a failure: a request may wait for it. Milliseconds. */
const callTimeoutMs = 2_000;

export type RouterCalls = Pick<
  PlaneOptions,
  "callRegistry" | "callsWait" | "reportSuspects" | "flush" | "isMeshToken"
>;

/** The variables for these calls. */
type CallsEnv = Pick<RouterEnv, "CONTROL_URL" | "NODE_ID" | "NODE_CREDENTIAL">;

/** A reply also has the marks of the mesh's tokens, which this machine does not know. */
type TableReply = RouterKeys & {
  readonly version: number;
  readonly text: string | null;
  readonly tokenMarks?: readonly string[];
};

export function routerCalls(env: CallsEnv): RouterCalls {
  let isMeshToken = markedTokenRecognizer([]);
  const flush = async (delta: Delta): Promise<void> => {
    const { status } = await call(env, "/mesh/router/counters", post(deltaText(delta, Date.now())), [400]);
    if (status === 400) console.error({ message: "telemetry was refused" });
  };
  return {
    isMeshToken: (text) => isMeshToken(text),
    // The process of this machine, which answers, gives newer tables to the data plane itself.
    callsWait: false,
    callRegistry: async ({ afterVersion, counters }) => {
      const counting =
        counters === null
          ? true
          : flush(counters).then(
              () => true,
              () => false,
            );
      const response = await call(env, `/mesh/router/table?after=${afterVersion}&wait=0`, {});
      const { tokenMarks, ...reply } = await response.json<TableReply>();
      if (tokenMarks !== undefined) isMeshToken = markedTokenRecognizer(tokenMarks);
      return { ...reply, counted: await counting, isWatched: true };
    },
    reportSuspects: (taskIds) => call(env, "/mesh/router/suspects", post(JSON.stringify({ taskIds }))),
    flush,
  };
}

function post(body: string): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body };
}

/** @throws Error with the status and the reason, unless it is expected */
async function call(
  { CONTROL_URL, NODE_ID, NODE_CREDENTIAL }: CallsEnv,
  path: string,
  init: RequestInit,
  expected: readonly number[] = [],
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${NODE_CREDENTIAL}`);
  headers.set("x-waggle-node", NODE_ID);
  const signal = AbortSignal.timeout(callTimeoutMs);
  const response = await fetch(CONTROL_URL + path, { ...init, headers, signal });
  if (response.ok || expected.includes(response.status)) return response;
  throw new Error(`${response.status}: ${(await response.text()).slice(0, 200)}`);
}
