// Copies of the routing table for a cache that others may read or be asked for: sealed, and at an address that only
// the mesh's routers can compute.
//
// A copy has the keys of routers, because a router without them reaches no task. It is sealed with AES-GCM under a
// key derived from the operator's token, which every router has and no viewer. The seal covers the mesh's name and
// the time of the copy, so that it opens neither in another mesh nor as a newer copy.

import type { CachedTable, RouterKeys } from "./table-cache.ts";

/** Where one copy is kept: bytes at one address. */
export type CopyStore = {
  /** Null: nothing is kept there. */
  readonly get: (address: string) => Promise<Sealed | null>;
  readonly put: (address: string, sealed: Sealed) => Promise<void>;
};

/** A sealed copy. */
export type Sealed = {
  /** When the registry last said that the table was the newest, epoch milliseconds. */
  readonly asOfMs: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** Length of an AES-GCM nonce, bytes (NIST SP 800-38D §8.2.2, random). */
const nonceBytes = 12;
/** Bytes of the address: too many to guess. */
const addressBytes = 16;
const format = "waggle-table-copy 1";

type CopyContents = { readonly text: string; readonly keys: RouterKeys };
type CopyKeys = {
  readonly seal: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
  readonly address: string;
};

/** @see docs/decisions/0118-serve-first.md */
export class SealedCopies {
  readonly #store: CopyStore;
  readonly #secret: string;
  readonly #meshName: string;
  #keys: CopyKeys | null = null;

  /** @param secret the operator's token */
  constructor(store: CopyStore, secret: string, meshName: string) {
    this.#store = store;
    this.#secret = secret;
    this.#meshName = meshName;
  }

  /** Null if there is no copy, or none that this mesh has sealed. */
  async read(): Promise<CachedTable | null> {
    const { seal, address } = await this.#derived();
    const sealed = await this.#store.get(address);
    if (sealed === null) return null;
    const { asOfMs, bytes } = sealed;
    try {
      const zipped = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: bytes.subarray(0, nonceBytes), additionalData: this.#covered(asOfMs) },
        seal,
        bytes.subarray(nonceBytes),
      );
      const { text, keys } = JSON.parse(await unzip(zipped)) as CopyContents;
      return { text, keys, asOfMs };
    } catch {
      // Another mesh of this name, or another token.
      return null;
    }
  }

  async write({ text, keys, asOfMs }: CachedTable): Promise<void> {
    const { seal, address } = await this.#derived();
    const iv = crypto.getRandomValues(new Uint8Array(nonceBytes));
    const zipped = await zip(JSON.stringify({ text, keys } satisfies CopyContents));
    const additionalData = this.#covered(asOfMs);
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, seal, zipped);
    const bytes = new Uint8Array(nonceBytes + sealed.byteLength);
    bytes.set(iv);
    bytes.set(new Uint8Array(sealed), nonceBytes);
    await this.#store.put(address, { asOfMs, bytes });
  }

  /** What the seal covers besides the contents. */
  #covered(asOfMs: number): Uint8Array<ArrayBuffer> {
    return bytesOf(`${format}\n${this.#meshName}\n${asOfMs}`);
  }

  async #derived(): Promise<CopyKeys> {
    this.#keys ??= await deriveKeys(this.#secret, this.#meshName);
    return this.#keys;
  }
}

/** RFC 5869. */
async function deriveKeys(secret: string, meshName: string): Promise<CopyKeys> {
  const material = await crypto.subtle.importKey("raw", bytesOf(secret), "HKDF", false, [
    "deriveKey",
    "deriveBits",
  ]);
  const parameters = (use: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt: bytesOf(format),
    info: bytesOf(`${use}\n${meshName}`),
  });
  const algorithm = { name: "AES-GCM", length: 256 };
  const seal = await crypto.subtle.deriveKey(parameters("seal"), material, algorithm, false, [
    "encrypt",
    "decrypt",
  ]);
  const bits = await crypto.subtle.deriveBits(parameters("address"), material, addressBytes * 8);
  const address = [...new Uint8Array(bits)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { seal, address };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function zip(text: string): Promise<ArrayBuffer> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
}

/** Rejects if the bytes are not gzip. */
export function unzip(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string> {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
