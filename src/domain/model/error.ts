// The one error of the mesh: what was read, what would work, whose move it is, and whether trying again helps.

/** Facts a program needs to act on an error. */
export type ErrorFacts = {
  /** Who can mend it: the caller, the node it came from, or the mesh itself. */
  readonly blame: "operator" | "node" | "mesh";
  /** Whether the same call may work later unchanged. */
  readonly retry: "safe" | "never";
  readonly cause?: unknown;
};

/** What kind of failure a code means to a caller; the control API maps it to a status, see docs/spec.md A7. */
export type ErrorKind =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "precondition"
  | "sequence"
  | "too-large"
  | "unavailable"
  | "internal";

/** `publish/invalid`, `service/not-found`: for programs; never changes. The part after the slash tells the kind. */
export type ErrorCode = `${string}/${ErrorKind}`;

/** An error of the mesh. The message is for the person reading it and is what the Docker CLI prints. */
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

/** Makes errors of one `…/invalid` code: the operator asked for something that can never work as it was sent. */
export function invalidAs(code: `${string}/invalid`): (message: string) => MeshError {
  return (message) => new MeshError(code, message, { blame: "operator", retry: "never" });
}

/** An error as plain data, for crossing RPC and JSON. */
export type Problem = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly blame: ErrorFacts["blame"];
  readonly retry: ErrorFacts["retry"];
};

/** A value or the reason there is none, as plain data: what crosses RPC instead of an exception. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** Runs `work`; a MeshError becomes its problem, anything else is the mesh's own fault and is thrown on. */
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

/** The value of an answer, or its problem thrown as a MeshError again. */
export function unwrap<T>(given: Result<T>): T {
  if (given.ok) return given.value;
  const { code, message, blame, retry } = given.problem;
  throw new MeshError(code, message, { blame, retry });
}
