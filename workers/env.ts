// The bindings and variables of every Worker of the mesh: those of wrangler.toml, and those of machines.

import type { MeshProber } from "./prober.ts";
import type { MeshRegistry } from "./registry.ts";
import type { MeshTelemetry } from "./telemetry.ts";
import type { MeshTunnel } from "./tunnel.ts";

/** The variables of a data plane on a machine of its own, which reaches the mesh over HTTP. */
export type RouterEnv = {
  /** Origin of the routes of src/control/router.ts. */
  readonly CONTROL_URL: string;
  /** The machine's id, and its credential there. */
  readonly NODE_ID: string;
  readonly NODE_CREDENTIAL: string;
  /** The mesh's relay, and the machine's credential for it; see src/gateway/relay.ts. */
  readonly RELAY_URL: string;
  readonly RELAY_CREDENTIAL: string;
};

export type Env = {
  readonly REGISTRY: DurableObjectNamespace<MeshRegistry>;
  readonly TELEMETRY: DurableObjectNamespace<MeshTelemetry>;
  /** Workers Analytics Engine; absent: not used. */
  readonly ANALYTICS?: AnalyticsEngineDataset;
  /** Only in the Worker of the registry. */
  readonly PROBER?: DurableObjectNamespace<MeshProber>;
  /** One object for each node whose agent opens a tunnel. Absent: no agent can. */
  readonly TUNNEL?: DurableObjectNamespace<MeshTunnel>;
  /** A network of Workers VPC, by which private addresses are dialed. Absent: there is no transport vpc. */
  readonly VPC?: Pick<Fetcher, "fetch">;
  /**
   * Location hints of the regions that static servers are checked from, comma-separated; empty: one prober
   * without a hint.
   */
  readonly PROBE_REGIONS?: string;
  readonly OPERATOR_TOKEN: string;
  /** May read, but not change; absent: there are no viewers. */
  readonly VIEWER_TOKEN?: string;
  /**
   * Cloudflare Access in front of the dashboard: `team.cloudflareaccess.com`, and its application's audience
   * tag.
   */
  readonly ACCESS_TEAM_DOMAIN?: string;
  readonly ACCESS_AUD?: string;
  /** E-mail addresses of operators, comma-separated. All other users that Access admits are viewers. */
  readonly ACCESS_OPERATORS?: string;
  readonly MESH_NAME: string;
  readonly MESH_DOMAIN: string;
  readonly CONTROL_HOST: string;
  /** Path of HAProxy's statistics on the edge; empty: no statistics. Absent: `/haproxy?stats`. */
  readonly STATS_URI?: string;
  readonly REGISTRY_LOCATION: string;
  readonly TRUSTED_PROXIES: string;
  /**
   * Addresses that nodes may have besides the one that they connect from, comma-separated: addresses, networks,
   * DNS names, `*.nodes.example.com`. Absent: none.
   */
  readonly NODE_ADDRESSES?: string;
  /** Sockets of the mesh itself besides CONTROL_HOST, comma-separated: `127.0.0.1:8787`. */
  readonly OWN_SOCKETS?: string;
  readonly MESH_MODE: "edge" | "local";
  /** Only in local mode: the key by which listeners of published ports prove `x-waggle-entry`. */
  readonly ENTRY_KEY?: string;
  /** Only in local mode: the URL of this machine's exit, and the secret of attempts there. */
  readonly EXIT_URL?: string;
  readonly EXIT_SECRET?: string;
  /** Only in a mesh on one machine: responds with the published ports that its listeners could not open. */
  readonly LISTENERS?: Pick<Fetcher, "fetch">;
  /** Only in local mode: the port at which the edge serves the default service. */
  readonly BALANCER_PORT?: string;
};
