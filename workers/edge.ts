// The edge as a separate Worker. The registry object belongs to the control Worker and is bound by script
// name.

import { serveByHost } from "./entry.ts";
import type { PlaneEnv } from "./plane.ts";
import { serveWithStats } from "./stats.ts";

export default {
  fetch(request, env, ctx) {
    return serveByHost(request, env, ctx, null, serveWithStats);
  },
} satisfies ExportedHandler<PlaneEnv>;
