// As standalone.ts, under the platform's rules: `fetch` goes through the test's network port.

import { env } from "cloudflare:workers";
import { type NetworkEnv, restrictFetch, runInvocation } from "../../../workers/platform/outbound-fetch.ts";
import * as standalone from "./standalone.ts";

export { MeshTelemetry } from "../../../workers/telemetry.ts";

type StandaloneEnv = Parameters<typeof standalone.Entry.fetch>[1];

restrictFetch(env as unknown as NetworkEnv);

export default {
  fetch: (request, standaloneEnv, ctx) =>
    runInvocation(() => standalone.default.fetch(request, standaloneEnv, ctx)),
} satisfies ExportedHandler<StandaloneEnv>;

export const Entry = {
  fetch: (request, standaloneEnv, ctx) =>
    runInvocation(() => standalone.Entry.fetch(request, standaloneEnv, ctx)),
} satisfies ExportedHandler<StandaloneEnv>;
