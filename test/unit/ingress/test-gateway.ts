// A gateway as a function: checks proofs as a real one does, and answers as a test wants.

import { createHmac } from "node:crypto";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import {
  type AttemptKind,
  attemptHeader,
  type GatewayAttempt,
  type GatewayOutcome,
  gatewayHeader,
  hostHeader,
  nodeKeyText,
  printOutcome,
  proofBytes,
  provenText,
  readAttempt,
  targetHeader,
} from "../../../src/gateway/attempt.ts";
import type { DialGateway } from "../../../src/proxy/plane.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { testGatewayKeys } from "./in-process-plane.ts";

/** What a test gateway does with a proven attempt. */
export type Behavior = (
  attempt: GatewayAttempt,
  answer: (outcome: GatewayOutcome, status?: number) => Response,
  init: RequestInit,
) => Response | Promise<Response>;

/** An attempt as a gateway got it. */
export type Arrival = { readonly base: string; readonly kind: AttemptKind; readonly headers: Headers };

export const accept: Behavior = ({ kind }, answer) => answer(kind === "reserve" ? "ready" : "task");

/**
 * The gateways of all nodes.
 *
 * @param behaviors by the base of a node, or `tunnelOf`; default: `accept`
 * @param secret of the key that attempts are signed with
 */
export function testGateway(
  onArrival: (arrival: Arrival) => void,
  behaviors: Readonly<Record<string, Behavior>> = {},
  secret = testGatewayKeys[0]?.secret ?? "",
): DialGateway {
  return async ({ base }, nodeId, init) => {
    const headers = new Headers(init.headers as Headers);
    const read = readAttempt(headers.get(attemptHeader) ?? "");
    if (read === null) throw new Error("no attempt");
    const { attempt, proof } = read;
    const name = base === "" ? tunnelOf(nodeId) : base;
    onArrival({ base: name, kind: attempt.kind, headers });
    const request = {
      method: init.method ?? "GET",
      target: headers.get(targetHeader) ?? "",
      host: headers.get(hostHeader),
    };
    const nodeKey = hmac(secret, nodeKeyText(nodeId));
    const mac = hmac(nodeKey, provenText(attempt, request));
    if (mac.toString("base64url", 0, proofBytes) !== proof) return new Response("denied", { status: 403 });
    const answer = (outcome: GatewayOutcome, status = outcome === "ready" ? 204 : 200) =>
      new Response(status === 204 ? null : outcome, {
        status,
        headers: {
          ...(status !== 204 && { "content-length": String(outcome.length) }),
          [gatewayHeader]: printOutcome(outcome, mac.toString("base64url", proofBytes)),
          base: name,
        },
      });
    return (behaviors[name] ?? accept)(attempt, answer, init);
  };
}

/** A table with two tasks of my-web behind the gateways of node1 and node2. */
export function gatewayTable(version: number): RoutingTable {
  const table = tableOf(version, serviceOf("my-web", 8080, ["x", "y"]));
  return {
    ...table,
    signingKey: "k1",
    nodes: table.nodes.map((node) => ({
      ...node,
      gateway: { transport: "direct", base: baseOf(node.name) },
    })),
    services: table.services.map((service) => ({
      ...service,
      tasks: service.tasks.map((task) => ({ ...task, endpoints: [[80, null]] })),
    })),
  };
}

/** Stands for the base of a node behind a tunnel. */
export function tunnelOf(nodeId: string): string {
  return `tunnel of ${nodeId}`;
}

export function baseOf(node: string): string {
  return `http://${node}.test:7946`;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
