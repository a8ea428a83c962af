// The HTTP client of a mesh's control API: the Engine API and the native routes under /mesh/.

import { CliError, exitCodes } from "./errors.ts";
import { parseJson } from "./json.ts";
import type { MeshTarget } from "./mesh-target.ts";

/** The version that the control API advertises; see docs/cli.md. */
const engineApiVersion = "v1.44";

/** Timeout of a request, milliseconds; no route of the control API takes this long. */
const requestTimeoutMs = 30_000;

type QueryParameters = Readonly<Record<string, string | number | boolean>>;

export type MeshClient = {
  readonly target: MeshTarget;
  /** JSON of an Engine API route; the path has no version: `get("/services", { status: true })`. */
  get<T>(path: string, query?: QueryParameters): Promise<T>;
  /** Posts JSON to an Engine API route; null if the response is empty. */
  post<T>(path: string, body: unknown, query?: QueryParameters): Promise<T | null>;
  delete(path: string, query?: QueryParameters): Promise<void>;
  /** The body of an Engine API route as it comes. The signal ends it. */
  stream(path: string, query: QueryParameters, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** JSON of a native route: `getNative("/status")` is GET /mesh/status. */
  getNative<T>(path: string, query?: QueryParameters): Promise<T>;
  /** Posts JSON to a native route. The path is complete: `/dashboard/sign-in-link`. */
  postNative<T>(path: string, body: unknown): Promise<T>;
  /** Sends DELETE to a native route. The path is complete. */
  deleteNative(path: string): Promise<void>;
  /** Text of a native route. */
  getNativeText(path: string, query?: QueryParameters): Promise<string>;
};

/**
 * Creates a client of one mesh. Every failure is a CliError: exit code 1 if the mesh refuses, 3 if no mesh
 * responds, 4 if the token is refused.
 */
export function createClient(target: MeshTarget, timeoutMs = requestTimeoutMs): MeshClient {
  const engine = (path: string) => `/${engineApiVersion}${path}`;
  const call = (method: string, path: string, query: QueryParameters, body?: unknown) =>
    sendRequest(target, timeoutMs, method, path + queryText(query), body);
  return {
    target,
    get: async (path, query = {}) => readJson(target, await call("GET", engine(path), query)),
    post: async (path, body, query = {}) => {
      const response = await call("POST", engine(path), query, body);
      const text = await bodyText(target, response);
      return text === "" ? null : parseResponse(target, response, text);
    },
    delete: async (path, query = {}) => {
      const response = await call("DELETE", engine(path), query);
      await response.body?.cancel();
    },
    stream: (path, query, signal) => openStream(target, timeoutMs, engine(path) + queryText(query), signal),
    getNative: async (path, query = {}) => readJson(target, await call("GET", `/mesh${path}`, query)),
    postNative: async (path, body) => {
      const response = await call("POST", path, {}, body);
      return response.status === 204 ? (null as never) : readJson(target, response);
    },
    deleteNative: async (path) => void (await bodyText(target, await call("DELETE", path, {}))),
    getNativeText: async (path, query = {}) => bodyText(target, await call("GET", `/mesh${path}`, query)),
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

/** The error of an unreachable mesh, with its URL, the reason and a hint. */
export function unreachable(target: MeshTarget, reason: string, cause?: unknown): CliError {
  const hint = target.source.endsWith("mesh.json")
    ? `is it running? "waggle up" starts it; --host URL selects another mesh`
    : `the URL is from ${target.source}; is the mesh deployed there?`;
  return new CliError(
    exitCodes.unreachable,
    `cannot reach the mesh at ${target.url}: ${reason}`,
    hint,
    cause,
  );
}

/** The error of a missing or refused token, with a hint. */
export function tokenRefused(target: MeshTarget, message: string): CliError {
  const details = message === "" ? "" : ` (${message})`;
  const problem = target.token === null ? "requires a token" : "refuses the token";
  return new CliError(
    exitCodes.token,
    `the mesh at ${target.url} ${problem}${details}`,
    "give the operator token with WAGGLE_TOKEN=… or --token-file FILE",
  );
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
  return partsOf(target, response.body);
}

async function* partsOf(
  target: MeshTarget,
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (body !== null) yield* body;
  } catch (error) {
    throw unreachable(target, `the response was cut off (${(error as Error).message})`, error);
  }
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
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(target.url + path, {
      method,
      headers,
      // Following a redirect would send the token to another host.
      redirect: "manual",
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw unreachable(target, failureText(error, timeoutMs), error);
  }
  if (response.ok) return response;
  throw await refusalFrom(target, response);
}

async function refusalFrom(target: MeshTarget, response: Response): Promise<CliError> {
  const text = await response.text().catch(() => "");
  const message = errorMessage(text);
  // The text after the semicolon is a hint for users of the Docker CLI.
  if (response.status === 401 || response.status === 429)
    return tokenRefused(target, message?.split(";", 1)[0] ?? "");
  if (response.status === 403) {
    return new CliError(
      exitCodes.token,
      message ?? "forbidden",
      "this requires the operator token (WAGGLE_TOKEN)",
    );
  }
  if (message === null) return notAMesh(target, response);
  return new CliError(exitCodes.refused, message);
}

/**
 * The message of an error body without the gRPC prefix of Docker's own messages; null if the body is not one.
 */
function errorMessage(text: string): string | null {
  const body = parseJson(text) as { message?: unknown } | null;
  if (typeof body?.message !== "string") return null;
  return body.message.replace(/^rpc error: code = \w+ desc = /, "");
}

function notAMesh(target: MeshTarget, response: Response): CliError {
  const type = response.headers.get("content-type") ?? "no content type";
  return unreachable(target, `the server there is not a mesh: it responded ${response.status} ${type}`);
}

async function readJson<T>(target: MeshTarget, response: Response): Promise<T> {
  return parseResponse(target, response, await bodyText(target, response));
}

async function bodyText(target: MeshTarget, response: Response): Promise<string> {
  return response.text().catch((error: Error) => {
    throw unreachable(target, `the response was cut off (${error.message})`, error);
  });
}

function parseResponse<T>(target: MeshTarget, response: Response, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw notAMesh(target, response);
  }
}

function queryText(query: QueryParameters): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) parameters.set(key, String(value));
  return parameters.size === 0 ? "" : `?${parameters}`;
}

function failureText(error: unknown, timeoutMs: number): string {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return `no response within ${timeoutMs / 1000} s`;
  const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
  if (cause?.code === "ECONNREFUSED") return "connection refused";
  if (cause?.code === "ENOTFOUND") return "no such host";
  return cause?.message || (error as Error).message;
}
