// The error of the mesh: what was read, what would work, who can fix it, and whether to retry.

/** The parts of an error that a program acts on. */
type ErrorFacts = {
  /** Who can fix it: the caller, the node that sent the request, or the mesh itself. */
  readonly blame: "operator" | "node" | "mesh";
  /** `safe` if the same call may work later. */
  readonly retry: "safe" | "never";
  readonly cause?: unknown;
};

/** The class of a failure; the control API maps it to an HTTP status. @see docs/spec.md A7 */
export type ErrorKind =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "precondition"
  | "sequence"
  | "too-large"
  | "too-many"
  | "unavailable"
  | "internal";

/** `publish/invalid`, `service/not-found`: stable, for programs. The part after the slash is the kind. */
type ErrorCode = `${string}/${ErrorKind}`;

/** An error with a message for people: the Docker CLI prints it. */
export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.facts = facts;
  }

  get kind(): ErrorKind {
    return this.code.slice(this.code.lastIndexOf("/") + 1) as ErrorKind;
  }
}

/** Makes errors of one `…/invalid` code, for requests that can never work as they were sent. */
export function invalidAs(code: `${string}/invalid`): (message: string) => MeshError {
  return (message) => new MeshError(code, message, { blame: "operator", retry: "never" });
}

/** A MeshError as plain data, for RPC and JSON. */
type Problem = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly blame: ErrorFacts["blame"];
  readonly retry: ErrorFacts["retry"];
};

/** A value or a problem, as plain data: crosses RPC in place of an exception. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** Runs `work`; returns its value or the problem of a MeshError, and rethrows any other error as a bug. */
export function toResult<T>(work: () => T): Result<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return {
      ok: false,
      problem: {
        code: error.code,
        message: error.message,
        blame: error.facts.blame,
        retry: error.facts.retry,
      },
    };
  }
}

/** Returns the value of a result, or throws its problem as a MeshError. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, blame, retry } = result.problem;
  throw new MeshError(code, message, { blame, retry });
}
