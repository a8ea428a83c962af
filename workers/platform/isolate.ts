// One isolate of the data plane under the platform's rules: the listeners' socket of workers/main.ts, with `fetch` and
// the Durable Objects as on Cloudflare.

import { env } from "cloudflare:workers";
import { serveListener } from "../entry.ts";
import type { PlaneEnv } from "../plane.ts";
import { serveWithStats } from "../stats.ts";
import { withObjects } from "./far-objects.ts";
import { type CacheBinding, installCache } from "./isolate-cache.ts";
import { boundStub, type ObjectsBinding } from "./isolate-objects.ts";
import { type NetworkEnv, restrictFetch, runInvocation } from "./outbound-fetch.ts";

type IsolateEnv = PlaneEnv & NetworkEnv & { readonly OBJECTS: ObjectsBinding; readonly CACHE: CacheBinding };

const isolateEnv = env as unknown as IsolateEnv;
restrictFetch(isolateEnv);
installCache(isolateEnv.CACHE);
const planeEnv = withObjects(isolateEnv, (binding, name) => boundStub(isolateEnv.OBJECTS, binding, name));

export const Entry = {
  fetch(request, _env, ctx) {
    return runInvocation(() => serveListener(request, planeEnv, ctx, serveWithStats));
  },
} satisfies ExportedHandler;

/** Every request names an entry point. */
export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler;
