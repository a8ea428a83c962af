// Maps errors to responses of the Engine API.

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorKind, MeshError, type Result, unwrap } from "../domain/model/error.ts";
import { printable } from "../domain/model/printable.ts";
import type { ProblemBody } from "../protocol/problem.ts";
import type { ControlDeps, ControlEnv } from "./context.ts";

/**
 * The status of each kind of error, and SwarmKit's gRPC code, which dockerd puts before SwarmKit's errors.
 */
const statusByKind: Record<
  ErrorKind,
  { readonly status: ContentfulStatusCode; readonly grpc: string | null }
> = {
  invalid: { status: 400, grpc: "InvalidArgument" },
  unauthorized: { status: 401, grpc: null },
  forbidden: { status: 403, grpc: null },
  "not-found": { status: 404, grpc: null },
  conflict: { status: 409, grpc: "AlreadyExists" },
  precondition: { status: 400, grpc: "FailedPrecondition" },
  // Docker responds to a stale version with a 500; clients match its text.
  sequence: { status: 500, grpc: "Unknown" },
  "too-large": { status: 413, grpc: null },
  "too-many": { status: 429, grpc: "ResourceExhausted" },
  unavailable: { status: 503, grpc: null },
  internal: { status: 500, grpc: null },
};

/**
 * The value of the registry's result for a change. Rewrites a refusal to the form in which dockerd relays
 * SwarmKit's: `rpc error: code = AlreadyExists desc = name conflicts with …`.
 *
 * @throws MeshError the refusal
 */
export function unwrapForDocker<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  try {
    return unwrap(result);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const { grpc } = statusByKind[error.kind];
    if (grpc === null) throw error;
    throw new MeshError(error.code, `rpc error: code = ${grpc} desc = ${error.message}`, error.facts);
  }
}

/** A request that cannot be read. */
export function badRequest(message: string): MeshError {
  return new MeshError("request/invalid", message, { blame: "operator", retry: "never" });
}

/** A refusal with a status that no error kind has. */
export function httpError(status: 426 | 501, message: string): HTTPException {
  return new HTTPException(status, { message });
}

/** Responds to an error thrown by a route. */
export function errorHandler(deps: ControlDeps): (error: Error, c: Context<ControlEnv>) => Response {
  return (error, c) => {
    const { status, message } = describeError(deps, error, {
      requestId: c.get("requestId"),
      method: c.req.method,
      path: c.req.path,
    });
    return problem(c, status, message);
  };
}

/**
 * The status and message for an error. An unexpected error is logged in full, and the message has only the
 * request id: a stack trace must not reach a client.
 */
export function describeError(
  deps: Pick<ControlDeps, "log">,
  error: Error,
  request: { readonly requestId: string; readonly method: string; readonly path: string },
): { readonly status: ContentfulStatusCode; readonly message: string } {
  if (error instanceof MeshError) return { status: statusByKind[error.kind].status, message: error.message };
  if (error instanceof HTTPException)
    return { status: error.status as ContentfulStatusCode, message: error.message };
  const { requestId, method, path } = request;
  const log = deps.log ?? ((record) => console.error(record));
  log({
    message: "control: internal error",
    requestId,
    method,
    path,
    error: error.stack ?? String(error),
  });
  return {
    status: 500,
    message: `internal error of the mesh; its log has the details under request ${requestId}`,
  };
}

/** An error response with the Engine API's body. @param message may quote text from outside */
export function problem(c: Context, status: ContentfulStatusCode, message: string): Response {
  return c.json({ message: printable(message) } satisfies ProblemBody, status);
}
