// Copies of the routing table in the cache of this data center, for isolates that start there.
//
// The cache answers for a zone's own host names only: on workers.dev and behind Access it keeps nothing, and an
// isolate that starts waits for the registry.

import { SealedCopies } from "../src/proxy/routing/sealed-copy.ts";
import { maxCopyAgeMs, type TableCopies } from "../src/proxy/routing/table-cache.ts";
import type { Env } from "./env.ts";

/** When the copy was the newest; in a header, because the seal covers it. */
const asOfHeader = "x-waggle-as-of";

type CopiesEnv = Pick<Env, "OPERATOR_TOKEN" | "MESH_NAME" | "MESH_DOMAIN" | "MESH_MODE">;

/**
 * Null where isolates get the table otherwise, or without a token to seal copies with.
 *
 * @param host the host name of this isolate's first request: the cache is the zone's
 */
export function tableCopiesOf(
  { OPERATOR_TOKEN, MESH_NAME, MESH_DOMAIN, MESH_MODE }: CopiesEnv,
  host: string,
): TableCopies | undefined {
  if (MESH_MODE !== "edge" || !OPERATOR_TOKEN || typeof caches === "undefined") return undefined;
  const zone = MESH_DOMAIN || host;
  const urlOf = (address: string) => `https://${zone}/.well-known/waggle/${address}`;
  const store = {
    get: async (address: string) => {
      const response = await defaultCache().match(urlOf(address));
      if (response === undefined) return null;
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { asOfMs: Number(response.headers.get(asOfHeader)), bytes };
    },
    put: (address: string, { asOfMs, bytes }: { readonly asOfMs: number; readonly bytes: BodyInit }) => {
      const headers = {
        "cache-control": `max-age=${maxCopyAgeMs / 1_000}`,
        "content-type": "application/octet-stream",
        [asOfHeader]: String(asOfMs),
      };
      return defaultCache().put(urlOf(address), new Response(bytes, { headers }));
    },
  };
  return new SealedCopies(store, OPERATOR_TOKEN, MESH_NAME);
}

function defaultCache(): Cache {
  return caches.default;
}
