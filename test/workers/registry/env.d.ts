// `env` of cloudflare:workers in these tests has what wrangler.toml binds.

import type { Env as Bindings } from "../../../workers/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends Bindings {}
  }
}
