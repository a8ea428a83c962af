// Properties of HTTP methods (RFC 9110 §9.2).

/** Safe methods: they ask for no change, so two targets may get the request at once. */
export const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Idempotent methods: a second request has no further effect, so it may be sent to another target. */
export const idempotentMethods: ReadonlySet<string> = new Set([...safeMethods, "TRACE", "PUT", "DELETE"]);

/**
 * Methods whose body has no meaning of its own (RFC 9110 §9.3.1): `fetch` does not accept one in its init, and
 * drops one of unknown length.
 */
export const methodsWithoutBody: ReadonlySet<string> = new Set(["GET", "HEAD"]);
