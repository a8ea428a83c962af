// The HTTP client of a mesh's control API: the Engine API and the native routes under /mesh/.

import { connectionFailure } from "./connection-failure.ts";
import { isFromMesh, notAMesh, refusalOf, unreachable } from "./mesh-refusal.ts";
import { MeshResponse } from "./mesh-response.ts";
import type { MeshTarget } from "./mesh-target.ts";
import { emptyBody, type Shape } from "./shapes.ts";

/** The version that the control API advertises; see docs/cli.md. */
const engineApiVersion = "v1.44";

/** Timeout of a request, milliseconds; no route of the control API takes this long. */
const requestTimeoutMs = 30_000;

type QueryParameters = Readonly<Record<string, string | number | boolean>>;

export type MeshClient = {
  readonly target: MeshTarget;
  /**
   * JSON of an Engine API route, whose path has no version: `get("/nodes", listOf(engineNode))`. It is returned as
   * the mesh sent it, also members that the shape does not have.
   */
  get<T>(path: string, shape: Shape<T>, query?: QueryParameters): Promise<T>;
  /** Posts JSON to an Engine API route. An empty response is null. */
  post<T>(path: string, body: unknown, shape: Shape<T>, query?: QueryParameters): Promise<T>;
  delete(path: string, query?: QueryParameters): Promise<void>;
  /** The body of an Engine API route as it comes. The signal ends it. */
  stream(path: string, query: QueryParameters, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** JSON of a native route: `getNative("/status", meshStatus)` is GET /mesh/status. */
  getNative<T>(path: string, shape: Shape<T>, query?: QueryParameters): Promise<T>;
  /** Posts JSON to a native route. The path is complete: `/dashboard/sign-in-link`. */
  postNative<T>(path: string, body: unknown, shape: Shape<T>): Promise<T>;
  /** Sends DELETE to a native route. The path is complete. */
  deleteNative(path: string): Promise<void>;
  /** Puts text to a native route; its response has no body. The path is complete. */
  putNativeText(path: string, text: string): Promise<void>;
  /** Text of a native route. */
  getNativeText(path: string, query?: QueryParameters): Promise<string>;
};

/**
 * Creates a client of one mesh. Every failure is a CliError: exit code 1 if the mesh refuses, 3 if no mesh
 * responds, 4 if the token is refused.
 */
export function createClient(target: MeshTarget, timeoutMs: number = requestTimeoutMs): MeshClient {
  const engine = (path: string) => `/${engineApiVersion}${path}`;
  const call = async (method: string, path: string, query: QueryParameters, body?: unknown) =>
    new MeshResponse(target, await sendRequest(target, timeoutMs, method, path + queryText(query), body));
  return {
    target,
    get: async (path, shape, query = {}) => (await call("GET", engine(path), query)).json(shape),
    post: async (path, body, shape, query = {}) =>
      (await call("POST", engine(path), query, body)).json(shape),
    delete: async (path, query = {}) =>
      void (await (await call("DELETE", engine(path), query)).json(emptyBody)),
    stream: (path, query, signal) => openStream(target, timeoutMs, engine(path) + queryText(query), signal),
    getNative: async (path, shape, query = {}) => (await call("GET", `/mesh${path}`, query)).json(shape),
    postNative: async (path, body, shape) => (await call("POST", path, {}, body)).json(shape),
    deleteNative: async (path) => void (await (await call("DELETE", path, {})).json(emptyBody)),
    putNativeText: async (path, text) =>
      void (await (await call("PUT", path, {}, new Blob([text]))).json(emptyBody)),
    getNativeText: async (path, query = {}) => (await call("GET", `/mesh${path}`, query)).text(),
  };
}

/** The Engine API's `filters` parameter. The mesh ORs the values of one key and ANDs the keys. */
export function filterQuery(filters: Readonly<Record<string, readonly string[]>>): QueryParameters {
  const keys = Object.entries(filters).filter(([, values]) => values.length > 0);
  if (keys.length === 0) return {};
  const sets = keys.map(([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))]);
  return { filters: JSON.stringify(Object.fromEntries(sets)) };
}

/** Headers with the token, if there is one. */
export function authorizationHeaders(target: MeshTarget): Record<string, string> {
  return target.token === null ? {} : { authorization: `Bearer ${target.token}` };
}

/** Sends a GET whose response must begin in time; its body may take as long as it likes. */
async function openStream(
  target: MeshTarget,
  timeoutMs: number,
  path: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(new DOMException("no response", "TimeoutError")), timeoutMs);
  const either = AbortSignal.any([opening.signal, signal]);
  const response = await sendRequest(target, timeoutMs, "GET", path, undefined, either).finally(() =>
    clearTimeout(timer),
  );
  return new MeshResponse(target, response).parts();
}

async function sendRequest(
  target: MeshTarget,
  timeoutMs: number,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal = AbortSignal.timeout(timeoutMs),
): Promise<Response> {
  const headers: Record<string, string> = { ...authorizationHeaders(target), accept: "application/json" };
  const isText = body instanceof Blob;
  if (body !== undefined) headers["content-type"] = isText ? "text/plain" : "application/json";
  let response: Response;
  try {
    response = await fetch(target.url + path, {
      method,
      headers,
      // Following a redirect would send the token to another host.
      redirect: "manual",
      signal,
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
  } catch (error) {
    const { reason, advice } = connectionFailure(error, timeoutMs);
    throw unreachable(target, reason, error, advice);
  }
  if (response.ok && isFromMesh(response)) return response;
  throw response.ok ? notAMesh(target, response) : await refusalOf(target, response);
}

function queryText(query: QueryParameters): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) parameters.set(key, String(value));
  return parameters.size === 0 ? "" : `?${parameters}`;
}
