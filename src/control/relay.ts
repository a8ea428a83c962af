// The relay: sends an attempt of a machine's data plane to the gateway of a node that only this mesh's Workers
// reach. It checks who sends it, and nothing in it: the gateway checks the attempt's proof.

import type { TableGateway } from "../domain/table/table.ts";
import { attemptHeader, readAttempt } from "../gateway/attempt.ts";
import { type RelayRouter, readRelayRouter, relayedNode, restoreAttemptHeaders } from "../gateway/relay.ts";
import { type TunnelOutcome, tunnelHeader } from "../gateway/tunnel/relay.ts";
import { routerRefusal } from "../protocol/router.ts";
import type { DialGateway } from "../proxy/plane.ts";
import type { MeshApi, RelayAccess } from "../registry/api.ts";
import { tooManyTokens } from "./auth.ts";
import type { GuessLimit } from "./guess-limit.ts";

/** A granted access counts for so long before the registry is asked again, milliseconds. */
const accessMs = 30_000;
/** While the registry is unreachable, for so long. */
const staleAccessMs = 600_000;
/** Accesses remembered; beyond that the one that was granted first is forgotten. */
const maxAccesses = 4_096;

export type RelayDeps = {
  readonly mesh: Pick<MeshApi, "relayAccess">;
  readonly dialGateway: DialGateway;
  /** Wrong credentials of an address. */
  readonly guesses: GuessLimit;
  /** Epoch milliseconds. */
  readonly now: () => number;
};

type RelayRefusal = {
  readonly status: 400 | 401 | 403 | 404 | 429 | 503;
  readonly message: string;
};

/** A granted access, and when the registry was last asked. */
type Grant = { readonly gateway: TableGateway | null; checkedMs: number };

/** @see docs/decisions/0081-relay.md */
export class Relay {
  readonly #deps: RelayDeps;
  readonly #grants = new Map<string, Grant>();

  constructor(deps: RelayDeps) {
    this.#deps = deps;
  }

  /**
   * Relays an attempt. The gateway's response is returned as it came; a failure of the relay itself has the
   * header of tunnels with what became of the attempt.
   *
   * @param client the address of the connection; null if unknown
   */
  async serve(request: Request, pathname: string, client: string | null): Promise<Response> {
    const nodeId = relayedNode(pathname);
    const router = readRelayRouter(request.headers);
    if (nodeId === null) return refuse({ status: 404, message: "the path ends with the id of a node" });
    if (router === null)
      return refuse({ status: 401, message: "this route serves machines of the mesh only" });
    if (readAttempt(request.headers.get(attemptHeader) ?? "") === null)
      return refuse({ status: 400, message: "the request is not an attempt of a router" });
    const gateway = await this.#gatewayFor(router, nodeId, client ?? "unknown");
    if ("status" in gateway) return refuse(gateway);
    const relayed = new Request(request);
    restoreAttemptHeaders(relayed.headers);
    try {
      const response = await this.#deps.dialGateway(gateway, nodeId, relayed);
      // Only the object of a tunnel says this; on any other way it is not the gateway's.
      if (gateway.transport === "tunnel" || !response.headers.has(tunnelHeader)) return response;
      await response.body?.cancel();
      return failure(502, "broken", `node ${nodeId} did not send the response`);
    } catch {
      return failure(502, "broken", `the way from the mesh to node ${nodeId} failed`);
    }
  }

  /** How the node's gateway is reached from here, if the machine may send attempts. */
  async #gatewayFor(
    router: RelayRouter,
    nodeId: string,
    client: string,
  ): Promise<TableGateway | RelayRefusal> {
    const { guesses, now } = this.#deps;
    const key = `${router.nodeId} ${router.credential} ${nodeId}`;
    const nowMs = now();
    const held = this.#grants.get(key);
    if (held !== undefined && nowMs - held.checkedMs < accessMs) return usable(held.gateway, nodeId);
    const waitS = held === undefined ? guesses.waitS(client, nowMs) : null;
    if (waitS !== null) return { status: 429, message: tooManyTokens(waitS) };
    const heldMs = held === undefined ? Number.POSITIVE_INFINITY : nowMs - held.checkedMs;
    // Other requests go on with what is known.
    if (held !== undefined && heldMs < staleAccessMs) held.checkedMs = nowMs;
    const access = await this.#askRegistry(router, nodeId);
    if (access === null) {
      if (held !== undefined && heldMs < staleAccessMs) return usable(held.gateway, nodeId);
      return { status: 503, message: "the registry is unreachable, and this machine is not known here" };
    }
    this.#grants.delete(key);
    if (access.router !== "granted") {
      guesses.count(client, nowMs);
      return routerRefusal(access.router, router.nodeId);
    }
    this.#grants.set(key, { gateway: access.gateway, checkedMs: nowMs });
    const [oldest] = this.#grants.keys();
    if (oldest !== undefined && this.#grants.size > maxAccesses) this.#grants.delete(oldest);
    return usable(access.gateway, nodeId);
  }

  /** Null if the registry is unreachable. */
  async #askRegistry(router: RelayRouter, nodeId: string): Promise<RelayAccess | null> {
    try {
      return await this.#deps.mesh.relayAccess(router.nodeId, router.credential, nodeId);
    } catch {
      return null;
    }
  }
}

/** A node that has become direct may still have its tunnel, which older tables name. */
function usable(gateway: TableGateway | null, nodeId: string): TableGateway | RelayRefusal {
  if (gateway === null) return { status: 404, message: `this mesh has no way to a node ${nodeId}` };
  return gateway.transport === "direct" ? { transport: "tunnel", base: "" } : gateway;
}

function refuse({ status, message }: RelayRefusal): Response {
  return failure(status, "denied", message);
}

function failure(status: number, outcome: TunnelOutcome, message: string): Response {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    [tunnelHeader]: outcome,
  };
  return new Response(`${message}\n`, { status, headers });
}
