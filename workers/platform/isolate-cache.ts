// The cache of a data center, as an isolate there uses it: `caches.default`. It is behind a binding, because the
// isolates of a mesh on one machine have no cache of their own; the Worker that has them keeps one for each data center.

/** The entry point `DataCenterCache` of workers/platform/mesh.ts. */
export type CacheBinding = {
  match(url: string): Promise<CachedEntry | null>;
  put(url: string, entry: CachedEntry): Promise<void>;
};

/** A response that is kept. */
export type CachedEntry = {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer;
};

/** Sets `caches` of this isolate. Named caches are not modeled. */
export function installCache(binding: CacheBinding): void {
  const cache = {
    match: async (request: RequestInfo | URL) => {
      const entry = await binding.match(urlOf(request));
      return entry === null ? undefined : responseOf(entry);
    },
    put: async (request: RequestInfo | URL, response: Response) =>
      binding.put(urlOf(request), await entryOf(response)),
  };
  Object.defineProperty(globalThis, "caches", { value: { default: cache } });
}

function urlOf(request: RequestInfo | URL): string {
  return request instanceof Request ? request.url : String(request);
}

export async function entryOf(response: Response): Promise<CachedEntry> {
  const headers = [...response.headers].map(([name, value]) => [name, value] as const);
  return { status: response.status, headers, body: await response.arrayBuffer() };
}

export function responseOf({ status, headers, body }: CachedEntry): Response {
  return new Response(body, { status, headers: headers.map(([name, value]) => [name, value]) });
}
