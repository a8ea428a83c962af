// The bindings and variables of every Worker of the mesh, as wrangler.toml declares them.

import type { MeshRegistry } from "./registry.ts";

export type Env = {
  readonly REGISTRY: DurableObjectNamespace<MeshRegistry>;
  readonly OPERATOR_TOKEN: string;
  /** May look, may not act; absent: nobody has it. */
  readonly VIEWER_TOKEN?: string;
  readonly MESH_NAME: string;
  readonly MESH_DOMAIN: string;
  readonly CONTROL_HOST: string;
  readonly REGISTRY_LOCATION: string;
  readonly TRUSTED_PROXIES: string;
  readonly MESH_MODE: "edge" | "local";
  /** Only in local mode: shared with the listeners of published ports, which vouch for `x-waggle-entry`. */
  readonly ENTRY_KEY?: string;
  /** Only in local mode: where the balancer answers for the default service. */
  readonly BALANCER_PORT?: string;
};
