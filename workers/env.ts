// The bindings and variables of every Worker of the mesh, as wrangler.toml declares them.

import type { MeshProber } from "./prober.ts";
import type { MeshRegistry } from "./registry.ts";
import type { MeshTelemetry } from "./telemetry.ts";

export type Env = {
  readonly REGISTRY: DurableObjectNamespace<MeshRegistry>;
  readonly TELEMETRY: DurableObjectNamespace<MeshTelemetry>;
  /** Workers Analytics Engine; absent: nothing is written there. */
  readonly ANALYTICS?: AnalyticsEngineDataset;
  /** Only where the registry lives. */
  readonly PROBER?: DurableObjectNamespace<MeshProber>;
  /** Location hints of the regions that static servers are checked from, comma-separated; empty: one, anywhere. */
  readonly PROBE_REGIONS?: string;
  readonly OPERATOR_TOKEN: string;
  /** May look, may not act; absent: nobody has it. */
  readonly VIEWER_TOKEN?: string;
  /** Cloudflare Access in front of the dashboard: `team.cloudflareaccess.com`, and its application's audience tag. */
  readonly ACCESS_TEAM_DOMAIN?: string;
  readonly ACCESS_AUD?: string;
  /** E-mail addresses of those who may act, comma-separated; everybody else whom Access lets in may look. */
  readonly ACCESS_OPERATORS?: string;
  readonly MESH_NAME: string;
  readonly MESH_DOMAIN: string;
  readonly CONTROL_HOST: string;
  /** Where the balancer shows HAProxy's statistics; empty: nowhere. Absent: `/haproxy?stats`. */
  readonly STATS_URI?: string;
  readonly REGISTRY_LOCATION: string;
  readonly TRUSTED_PROXIES: string;
  readonly MESH_MODE: "edge" | "local";
  /** Only in local mode: shared with the listeners of published ports, which vouch for `x-waggle-entry`. */
  readonly ENTRY_KEY?: string;
  /** Only in local mode: where the balancer answers for the default service. */
  readonly BALANCER_PORT?: string;
};
