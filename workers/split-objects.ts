// The Worker of the Durable Objects in a split deployment. It serves no requests of its own: the other Workers bind
// to its objects, and are released without resetting them.

export { MeshProber } from "./prober.ts";
export { MeshRegistry } from "./registry.ts";
export { MeshTelemetry } from "./telemetry.ts";
export { MeshTunnel } from "./tunnel.ts";

export default {
  fetch: () => new Response("This Worker has the objects of a mesh and serves nothing.\n", { status: 404 }),
} satisfies ExportedHandler;
