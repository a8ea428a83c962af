// The edge as a separate Worker, bound by script name to the registry object of the control Worker.

import { serveByHost } from "./entry.ts";
import type { PlaneEnv } from "./plane.ts";
import { serveWithStats } from "./stats.ts";

export default {
  fetch(request, env, ctx) {
    return serveByHost(request, env, ctx, null, serveWithStats);
  },
} satisfies ExportedHandler<PlaneEnv>;
