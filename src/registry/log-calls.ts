// Signs requests for logs, each for the gateway of one node.
//
// Their key comes from the node's credential, which only the node has; the registry has its hash. A router cannot
// read logs with the keys of the mesh.

import { createHmac, randomUUID } from "node:crypto";
import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { nodeReach } from "../domain/model/node-gateway.ts";
import type { TableGateway } from "../domain/table/table.ts";
import {
  attemptHeader,
  type GatewayAttempt,
  logKeyId,
  logKeyText,
  printAttempt,
  proofBytes,
  provenText,
  targetHeader,
} from "../gateway/attempt.ts";

/** A request to the gateway of a node; `target` is that of src/gateway/logs/log-request.ts. */
export type LogTarget = { readonly nodeId: string; readonly target: string };

/** How to send it: a GET with these headers, whose response has the mark. Or why that is not possible. */
export type LogCall = { readonly nodeId: string; readonly nodeName: string } & (
  | {
      readonly gateway: TableGateway;
      readonly headers: Readonly<Record<string, string>>;
      readonly mark: string;
    }
  | { readonly gateway: null; readonly reason: string }
);

/**
 * Signs each request with the key of its node.
 *
 * @param credentialHash of a node, see `secretHash`
 */
export function signLogCalls(
  targets: readonly LogTarget[],
  nodes: ReadonlyMap<string, MeshNode>,
  credentialHash: (nodeId: string) => string | null,
  nowMs: number,
): readonly LogCall[] {
  return targets.map(({ nodeId, target }) => {
    const node = nodes.get(nodeId);
    const nodeName = node?.hostname ?? nodeId;
    const refused = (reason: string): LogCall => ({ nodeId, nodeName, gateway: null, reason });
    if (node === undefined) return refused(`node ${nodeName} was removed`);
    if (isNodeDown(node)) return refused(`node ${nodeName} is down`);
    const reach = nodeReach(node);
    const hash = credentialHash(nodeId);
    if (reach === null || hash === null) return refused(`the mesh cannot reach node ${nodeName}`);
    const attempt: GatewayAttempt = {
      keyId: logKeyId,
      taskId: "",
      port: 0,
      id: `logs.${randomUUID()}`,
      issuedMs: nowMs,
      kind: "logs",
    };
    const key = createHmac("sha256", Buffer.from(hash, "base64url")).update(logKeyText).digest();
    const text = provenText(attempt, { method: "GET", target, host: null });
    const digest = createHmac("sha256", key).update(text).digest();
    const proof = digest.subarray(0, proofBytes).toString("base64url");
    return {
      nodeId,
      nodeName,
      gateway: { transport: reach.transport, base: reach.transport === "tunnel" ? "" : reach.url },
      headers: { [attemptHeader]: printAttempt(attempt, proof), [targetHeader]: target },
      mark: digest.toString("base64url", proofBytes),
    };
  });
}
