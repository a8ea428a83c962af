// The registry at the other end of RPC: each call on a new stub, once more when the object was reset under
// it.

import { MeshError } from "../domain/model/error.ts";
import { type MeshApi, type OperationArgs, type OperationName, operationNames } from "../registry/api.ts";

/**
 * What the platform says of an RPC that failed on its way, or because its object was reset, not in the method
 * called.
 */
type RemoteFailure = {
  readonly retryable?: boolean;
  readonly durableObjectReset?: boolean;
  readonly overloaded?: boolean;
};

/**
 * Runs one call on a new stub, and once more when it failed on its way. A stub is broken for good once its
 * object was reset (a deploy, a move to another host), hence a new one each time. An object that is
 * overloaded is not asked again.
 *
 * A write that was done just before the reset is tried again too. Most are then refused, as taken or out of
 * sequence; a token rotated twice and a machine that joins twice are as good as once.
 *
 * @param connect a new stub
 * @throws MeshError registry/unavailable when the second try fails in the same way
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
  const { overloaded } = error as RemoteFailure;
  if (overloaded !== true && !isRetryable(error)) return error;
  const why = overloaded === true ? "has more to do than it can" : "is out of reach";
  return new MeshError("registry/unavailable", `the registry ${why}; traffic is not affected, try again`, {
    blame: "mesh",
    retry: "safe",
    cause: error,
  });
}
