// Errors as the Engine API answers them: the one place where a kind of error becomes a status.

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorKind, MeshError, type Result, unwrap } from "../domain/model/error.ts";
import type { ProblemBody } from "../protocol/problem.ts";
import type { ControlDeps, ControlEnv } from "./context.ts";

/** Status of each kind of error, and SwarmKit's word for it, which dockerd puts before SwarmKit's refusals. */
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
  // A stale version is a 500 in Docker, and clients look for its text.
  sequence: { status: 500, grpc: "Unknown" },
  "too-large": { status: 413, grpc: null },
  unavailable: { status: 503, grpc: null },
  internal: { status: 500, grpc: null },
};

/**
 * The value of a registry's answer to a change; its refusal in the words in which dockerd relays SwarmKit's:
 * `rpc error: code = AlreadyExists desc = name conflicts with …`.
 */
export function unwrapForDocker<T>(given: Result<T>): T {
  if (given.ok) return given.value;
  try {
    return unwrap(given);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const { grpc } = statusByKind[error.kind];
    if (grpc === null) throw error;
    throw new MeshError(error.code, `rpc error: code = ${grpc} desc = ${error.message}`, error.facts);
  }
}

/** A refusal at the door, in the caller's own words. */
export function badRequest(message: string): MeshError {
  return new MeshError("request/invalid", message, { blame: "operator", retry: "never" });
}

/** A refusal with a status that no kind of error has: 426, 501. */
export function httpError(status: 426 | 501, message: string): HTTPException {
  return new HTTPException(status, { message });
}

/** The answer to an error that a route threw. */
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
 * An error as a status and words for who asked. What nobody foresaw is logged whole and told as a request id only: a
 * stack trace is nothing to send to a client.
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
  return { status: 500, message: `internal error of the mesh; the log has it as request ${requestId}` };
}

/** The Engine API's body of an answer that is not a success. */
export function problem(c: Context, status: ContentfulStatusCode, message: string): Response {
  return c.json({ message } satisfies ProblemBody, status);
}
