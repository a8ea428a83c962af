// The RPC client of the registry. Each call uses a new stub and is retried once if the object was reset.

import { MeshError } from "../domain/model/error.ts";
import { type MeshApi, type OperationArgs, type OperationName, operationNames } from "../registry/api.ts";

/** What the platform adds to an RPC error that did not come from the called method. */
type RemoteFailure = {
  readonly retryable?: boolean;
  readonly durableObjectReset?: boolean;
  readonly overloaded?: boolean;
};

/**
 * Runs one call on a new stub, and retries it once if it failed in transit. After a reset of its object (a
 * deploy, a move to another host) a stub stays broken, so each try connects again. An overloaded object is
 * not retried.
 *
 * A change that was saved just before the reset is retried too. The second try of most is refused, as a
 * conflict or out of sequence; rotating a token or joining a machine twice does no harm.
 *
 * @param connect returns a new stub
 * @throws MeshError registry/unavailable if the second try fails in the same way, or a daily limit is spent
 */
export async function callRemote<Stub, T>(
  connect: () => Stub,
  work: (stub: Stub) => T | Promise<T>,
): Promise<T> {
  try {
    return await work(connect());
  } catch (error) {
    if (!isRetryable(error)) throw toUnavailable(error);
  }
  try {
    return await work(connect());
  } catch (error) {
    throw toUnavailable(error);
  }
}

/** A client of the registry whose operations are each a `callRemote`. */
export function remoteMesh(connect: () => MeshApi): MeshApi {
  return Object.fromEntries(operationNames.map((name) => [name, remoteCall(connect, name)])) as MeshApi;
}

function remoteCall<Name extends OperationName>(connect: () => MeshApi, name: Name) {
  return (...args: OperationArgs<Name>) => callRemote(connect, (mesh) => mesh[name](...args));
}

function isRetryable(error: unknown): boolean {
  const { retryable, durableObjectReset, overloaded } = error as RemoteFailure;
  return (retryable === true || durableObjectReset === true) && overloaded !== true;
}

function toUnavailable(error: unknown): unknown {
  const spent = spentLimit(error);
  if (spent !== null) {
    return new MeshError(
      "registry/unavailable",
      `the platform refuses the registry's work until 00:00 UTC (${spent}); Workers Paid has no such limit, and traffic is not affected`,
      { blame: "operator", retry: "safe", cause: error },
    );
  }
  const { overloaded } = error as RemoteFailure;
  if (overloaded !== true && !isRetryable(error)) return error;
  const why = overloaded === true ? "is overloaded" : "is unreachable";
  return new MeshError("registry/unavailable", `the registry ${why}; traffic is not affected, try again`, {
    blame: "mesh",
    retry: "safe",
    cause: error,
  });
}

/**
 * The daily limit of Workers Free that the account has spent, in the platform's words; null for any other error.
 *
 * @see https://developers.cloudflare.com/durable-objects/platform/pricing/
 */
function spentLimit(error: unknown): string | null {
  const message = error instanceof Error ? error.message : "";
  const isSpent = message.startsWith("Exceeded allowed ") && message.includes(" free tier");
  return isSpent ? message.replace(/\.$/, "") : null;
}
