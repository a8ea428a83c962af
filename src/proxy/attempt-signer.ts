// Signs attempts for gateways: the proof that a gateway checks, and the mark that its response must have.

import { nodeKeyText, proofBytes } from "../gateway/attempt.ts";

/** A key of the mesh, as the registry sends it with the table. */
export type GatewayKey = { readonly id: string; readonly secret: string };

/** Both are 22 characters of base64url. */
export type Signature = { readonly proof: string; readonly mark: string };

type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const hmac = { name: "HMAC", hash: "SHA-256" } as const;
const encoder = new TextEncoder();

/**
 * Signs with the key of a node, which is derived from a key of the mesh once.
 *
 * @see docs/decisions/0074-gateway-proofs.md
 */
export class AttemptSigner {
  #secrets: ReadonlyMap<string, string> = new Map();
  /** Keys and not their promises: a promise belongs to the request that made it. */
  readonly #nodeKeys = new Map<string, HmacKey>();
  readonly #prefix: string;
  #count = 0;

  /** @param prefix unique among all routers, `[\w-]`, at most 48 characters */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Replaces the keys of the mesh. */
  setKeys(keys: readonly GatewayKey[]): void {
    this.#secrets = new Map(keys.map(({ id, secret }) => [id, secret]));
    for (const name of this.#nodeKeys.keys()) {
      if (!this.#secrets.has(name.slice(0, name.indexOf(" ")))) this.#nodeKeys.delete(name);
    }
  }

  /** True if it can sign with a key. */
  has(keyId: string): boolean {
    return this.#secrets.has(keyId);
  }

  /** An id that no other attempt has. */
  newAttemptId(): string {
    this.#count += 1;
    return `${this.#prefix}.${this.#count.toString(36)}`;
  }

  /** The signature of a text for a node; null if the registry has not sent that key. */
  async sign(keyId: string, nodeId: string, text: string): Promise<Signature | null> {
    const key = this.#nodeKeys.get(`${keyId} ${nodeId}`) ?? (await this.#importNodeKey(keyId, nodeId));
    if (key === null) return null;
    const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
    return {
      proof: base64Url(bytes.subarray(0, proofBytes)),
      mark: base64Url(bytes.subarray(proofBytes, 2 * proofBytes)),
    };
  }

  async #importNodeKey(keyId: string, nodeId: string): Promise<HmacKey | null> {
    const secret = this.#secrets.get(keyId);
    if (secret === undefined) return null;
    const meshKey = await importKey(encoder.encode(secret));
    const nodeKey = await crypto.subtle.sign("HMAC", meshKey, encoder.encode(nodeKeyText(nodeId)));
    const key = await importKey(new Uint8Array(nodeKey));
    this.#nodeKeys.set(`${keyId} ${nodeId}`, key);
    return key;
  }
}

function importKey(bytes: Uint8Array): Promise<HmacKey> {
  return crypto.subtle.importKey("raw", new Uint8Array(bytes), hmac, false, ["sign"]);
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
