// One node's entry point as a Worker of its own. Which node: the variable NODE, or what the binding that calls it says.

import { entryOfHost, type PlaneEnv, serve } from "./entry.ts";

/** NODE is the node's name or id. */
type IngressEnv = PlaneEnv & { readonly NODE?: string };

export default {
  async fetch(request, env, ctx) {
    const { node } = (ctx.props ?? {}) as { readonly node?: string };
    return serve(request, await entryOfHost(request, env, ctx, node ?? env.NODE ?? null), env, ctx);
  },
} satisfies ExportedHandler<IngressEnv>;
