// One node's ingress as a separate Worker. The calling binding's props name the node, else NODE does.

import { serveByHost } from "./entry.ts";
import type { PlaneEnv } from "./plane.ts";

/** NODE is the node's name or id. */
type IngressEnv = PlaneEnv & { readonly NODE?: string };

export default {
  fetch(request, env, ctx) {
    const { node } = (ctx.props ?? {}) as { readonly node?: string };
    return serveByHost(request, env, ctx, node ?? env.NODE ?? null);
  },
} satisfies ExportedHandler<IngressEnv>;
