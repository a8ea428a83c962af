// The balancer as a Worker of its own. The registry object lives in the control Worker and is bound by script name.

import { entryOfHost, type PlaneEnv, serve } from "./entry.ts";

export default {
  async fetch(request, env, ctx) {
    return serve(request, await entryOfHost(request, env, ctx, null), env, ctx);
  },
} satisfies ExportedHandler<PlaneEnv>;
