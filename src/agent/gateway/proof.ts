// Checks the proof of an attempt with the keys of this node, and makes the mark of its response.

import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import {
  type GatewayAttempt,
  logKeyId,
  logKeyText,
  type ProvenRequest,
  proofBytes,
  provenText,
} from "../../gateway/attempt.ts";

/** A key of this node: the HMAC of `nodeKeyText` under a key of the mesh, or the one of `logKeyOf`. */
export type NodeKey = {
  /** Id of the mesh key, or `logKeyId`. */
  readonly id: string;
  /** 32 bytes. The same key is the same buffer, whose contents do not change. */
  readonly key: Buffer;
};

/** The key that proves attempts `logs`. Only the registry and the node itself can make it. */
export function logKeyOf(credential: string): NodeKey {
  const secret = createHash("sha256").update(credential).digest();
  return { id: logKeyId, key: createHmac("sha256", secret).update(logKeyText).digest() };
}

/** The mark of an attempt, or why its proof is worth nothing. */
export type ProofCheck = { readonly mark: string } | { readonly mark: null; readonly reason: string };

/**
 * Compares the proof in constant time.
 *
 * @param proof 22 characters of base64url
 */
export function checkProof(
  attempt: GatewayAttempt,
  request: ProvenRequest,
  proof: string,
  keys: readonly NodeKey[],
): ProofCheck {
  const nodeKey = keys.find(({ id }) => id === attempt.keyId);
  if (nodeKey === undefined) return { mark: null, reason: unknownKey(attempt.keyId, keys) };
  const digest = createHmac("sha256", preparedKey(nodeKey.key)).update(provenText(attempt, request)).digest();
  if (!timingSafeEqual(digest.subarray(0, proofBytes), Buffer.from(proof, "base64url"))) {
    const reason =
      "its proof does not match: it was made for another node or by another mesh, or was changed";
    return { mark: null, reason };
  }
  return { mark: digest.toString("base64url", proofBytes) };
}

/** Preparing a key takes five times as long as the HMAC. */
const prepared = new WeakMap<Buffer, KeyObject>();

function preparedKey(key: Buffer): KeyObject {
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key);
  prepared.set(key, made);
  return made;
}

function unknownKey(keyId: string, keys: readonly NodeKey[]): string {
  if (keys.length === 0) return "this node has no keys yet; it gets them when it has joined the mesh";
  return `this node has no key "${keyId}"; it gets new keys when its agent is connected to the registry`;
}
