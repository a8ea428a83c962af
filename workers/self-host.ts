// The Worker of a self-hosted mesh: the configuration of workerd defines what each socket serves, and the
// connection gives the client's address.

import { peerOnWorkerd } from "./client-address.ts";
import { serveControl } from "./control.ts";
import { serveArrival } from "./entry.ts";
import type { Env } from "./env.ts";
import { serveWithStats } from "./stats.ts";

export { MeshProber } from "./prober.ts";
export { MeshRegistry } from "./registry.ts";
export { MeshTelemetry } from "./telemetry.ts";
export { MeshTunnel } from "./tunnel.ts";

/**
 * The `props` of a socket, see infra/self-host/waggle.capnp.
 *
 * @see docs/decisions/0047-self-hosting-on-workerd.md
 */
type SocketProps = {
  /** `control`: the Engine API and the dashboard; `traffic`: requests for services. */
  readonly for: "control" | "traffic";
  /**
   * The published port that the socket serves; without it, the host name selects the service, or the default.
   */
  readonly port?: number;
  /** Name or id of the node whose entry point this is; without it, the edge, or the node of the host name. */
  readonly node?: string;
};

export default {
  fetch(request, env, ctx) {
    const { for: purpose, port, node } = ctx.props as SocketProps;
    const peer = peerOnWorkerd(request);
    if (purpose === "control") return serveControl(request, env, { sharesOrigin: false, peer });
    const arrival = {
      url: request.url,
      node: node ?? null,
      port: port ?? null,
      client: peer ?? "unknown",
      joinsCookieLines: true as const,
    };
    return serveArrival(request, arrival, env, ctx, serveWithStats);
  },
} satisfies ExportedHandler<Env>;
