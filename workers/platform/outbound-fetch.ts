// `fetch` of a Worker under the platform's rules: at most six connections of an invocation wait for a response, and
// all requests go through the mesh's network port (src/local/platform-network.ts).

import { AsyncLocalStorage } from "node:async_hooks";
import { ConnectionSlots } from "../../src/local/platform/connection-slots.ts";
import { originHeader, secretHeader, uncachedHeader } from "../../src/local/platform/network-headers.ts";

/** How this Worker reaches the network port. */
export type NetworkEnv = { readonly NETWORK_URL: string; readonly NETWORK_SECRET: string };

const invocations = new AsyncLocalStorage<ConnectionSlots>();
const runtimeFetch = globalThis.fetch;

/** `fetch` of the runtime takes it, and no type of the language has it. */
type EncodedInit = RequestInit & { readonly encodeResponseBody?: "automatic" | "manual" };

/** Runs one invocation, with connections of its own. */
export function runInvocation<T>(work: () => T): T {
  return invocations.run(new ConnectionSlots(), work);
}

/** Replaces the `fetch` of this isolate. */
export function restrictFetch({ NETWORK_URL, NETWORK_SECRET }: NetworkEnv): void {
  globalThis.fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const sent = new Request(NETWORK_URL, request);
    sent.headers.set(originHeader, request.url);
    sent.headers.set(secretHeader, NETWORK_SECRET);
    if (isUncached(init)) sent.headers.set(uncachedHeader, "1");
    // A copy of a request loses its signal, and whether the body of its response is decoded. The latter cannot be read
    // from a Request.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
    const { encodeResponseBody } = (init ?? {}) as EncodedInit;
    const own: EncodedInit = { signal, ...(encodeResponseBody !== undefined && { encodeResponseBody }) };
    const send = () => runtimeFetch(sent, own);
    return invocations.getStore()?.run(send) ?? send();
  };
}

/** True if no response of the cache may answer: by a negative TTL for every status, or `no-store`. */
function isUncached(init: RequestInit | undefined): boolean {
  const { cacheTtlByStatus } = (init?.cf ?? {}) as { readonly cacheTtlByStatus?: Record<string, number> };
  return init?.cache === "no-store" || (cacheTtlByStatus?.["100-599"] ?? 0) < 0;
}
