// The shortest Worker that reaches a task through a gateway: it signs each request as an attempt, sends it by
// the transport of its variables, and checks the outcome. For the benchmark of the transports.

import {
  attemptHeader,
  gatewayHeader,
  hostHeader,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
} from "../../../src/gateway/attempt.ts";
import { AttemptSigner } from "../../../src/proxy/attempt-signer.ts";
import { gatewayDialerOf } from "../../../workers/plane.ts";
import type { MeshTunnel } from "../../../workers/tunnel.ts";

export { MeshTunnel } from "../../../workers/tunnel.ts";

type TransportEnv = {
  readonly TUNNEL: DurableObjectNamespace<MeshTunnel>;
  readonly TRANSPORT: "direct" | "vpc" | "tunnel";
  /** Origin of the gateway. */
  readonly GATEWAY: string;
  readonly NODE_ID: string;
  /** The key of the mesh. */
  readonly SECRET: string;
};

/** Workers VPC is a network of Cloudflare. Its binding is replaced by what it does on one machine. */
const standIn = { fetch: (url: string, init: RequestInit) => fetch(url, init) } as Pick<Fetcher, "fetch">;

const host = "www.test";
const keyId = "k1";
const signer = new AttemptSigner(`bench${Date.now().toString(36)}`);

export default {
  async fetch(request: Request, env: TransportEnv): Promise<Response> {
    const { TUNNEL, TRANSPORT: transport, GATEWAY: base, NODE_ID: nodeId, SECRET: secret } = env;
    const { pathname, search } = new URL(request.url);
    if (pathname === "/mesh/tunnel") return TUNNEL.getByName(nodeId).fetch(request);
    const target = pathname + search;
    if (!signer.has(keyId)) signer.setKeys([{ id: keyId, secret }]);
    const id = signer.newAttemptId();
    const attempt = { keyId, taskId: "t1", port: 80, id, issuedMs: Date.now(), kind: "repeat" } as const;
    const signature = await signer.sign(keyId, nodeId, provenText(attempt, { method: "GET", target, host }));
    if (signature === null) return new Response("no key\n", { status: 500 });
    const headers = new Headers(request.headers);
    headers.set(attemptHeader, printAttempt(attempt, signature.proof));
    headers.set(targetHeader, target);
    headers.set(hostHeader, host);
    const dial = gatewayDialerOf({ MESH_MODE: "local", TUNNEL, VPC: standIn });
    const response = await dial({ transport, base }, nodeId, { headers, redirect: "manual" });
    const outcome = readOutcome(response.headers.get(gatewayHeader), signature.mark);
    return outcome === "task" ? response : new Response(`not delivered: ${outcome}\n`, { status: 502 });
  },
};
