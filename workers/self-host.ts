// The mesh on a workerd of one's own: its configuration says what each socket is for, and the connection says who asks.

import { serveControl } from "./control.ts";
import { serveArrival } from "./entry.ts";
import type { Env } from "./env.ts";
import { serveWithStats } from "./stats.ts";

export { MeshProber } from "./prober.ts";
export { MeshRegistry } from "./registry.ts";
export { MeshTelemetry } from "./telemetry.ts";

/** What the `props` of a socket say, see infra/self-host/waggle.capnp. */
type SocketUse = {
  /** `control`: the Engine API and the dashboard; `traffic`: requests for services. */
  readonly for: "control" | "traffic";
  /** The published port whose requests come in here; absent: the host name decides, else the default service. */
  readonly port?: number;
  /** Name or id of the node whose entry point this is; absent: the balancer, or a node asked for by host name. */
  readonly node?: string;
};

export default {
  fetch(request, env, ctx) {
    const { for: use, port, node } = ctx.props as SocketUse;
    if (use === "control") return serveControl(request, env, false);
    const arrival = { url: request.url, node: node ?? null, port: port ?? null, client: clientOf(request) };
    return serveArrival(request, arrival, env, ctx, serveWithStats);
  },
} satisfies ExportedHandler<Env>;

/** The peer of the connection: workerd says `203.0.113.7:38228` or `[::ffff:203.0.113.7]:38228`. */
function clientOf({ cf }: Request): string {
  const { clientIp } = (cf ?? {}) as { readonly clientIp?: string };
  const address = /^\[?(?:::ffff:(?=[\d.]+\]))?(.*?)\]?:\d+$/.exec(clientIp ?? "")?.[1];
  return address ?? "unknown";
}
