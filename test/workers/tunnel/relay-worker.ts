// A Worker with the tunnel objects alone, for tests: agents dial /mesh/tunnel, and every other request is a
// router's. It runs in workerd; the tests bundle it.

import type { MeshTunnel } from "../../../workers/tunnel.ts";

export { MeshTunnel } from "../../../workers/tunnel.ts";

type TunnelWorkerEnv = {
  readonly TUNNEL: { readonly getByName: (name: string) => Pick<MeshTunnel, "fetch"> };
};

export default {
  fetch(request: Request, { TUNNEL }: TunnelWorkerEnv): Response | Promise<Response> {
    const object = TUNNEL.getByName("node1");
    const { pathname } = new URL(request.url);
    if (pathname === "/mesh/tunnel") return object.fetch(request);
    return object.fetch(new Request("http://tunnel/", request));
  },
};
