// `fetch` of a Worker under the platform's rules: at most six connections of an invocation wait for a response, and
// all requests go through the mesh's network port (src/local/platform-network.ts).

import { AsyncLocalStorage } from "node:async_hooks";
import { ConnectionSlots } from "../../src/local/platform/connection-slots.ts";
import { originHeader, secretHeader, uncachedHeader } from "../../src/local/platform/network-headers.ts";

/** How this Worker reaches the network port. */
export type NetworkEnv = { readonly NETWORK_URL: string; readonly NETWORK_SECRET: string };

const invocations = new AsyncLocalStorage<ConnectionSlots>();
const runtimeFetch = globalThis.fetch;

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
    // A copy of a request may lose its signal.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
    const send = () => runtimeFetch(sent, { signal });
    return invocations.getStore()?.run(send) ?? send();
  };
}

/** True if no response of the cache may answer: by a negative TTL for every status, or `no-store`. */
function isUncached(init: RequestInit | undefined): boolean {
  const { cacheTtlByStatus } = (init?.cf ?? {}) as { readonly cacheTtlByStatus?: Record<string, number> };
  return init?.cache === "no-store" || (cacheTtlByStatus?.["100-599"] ?? 0) < 0;
}
