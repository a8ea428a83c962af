// The compiled expectations of a prober's checks.

import { type Expectation, readExpectation } from "../domain/model/check-expect.ts";
import type { Expect } from "../domain/model/server.ts";

/**
 * Compiling takes 0.1 ms for a usual pattern and 0.1 s for the worst, and a compiled pattern may grow to 8 MB
 * of an isolate's 128 MB as it matches.
 */
const maxCompiledExpectations = 8;

/** Keeps the expectations that were used last, by what they expect. */
export class ExpectationCache {
  readonly #compiled = new Map<string, Expectation>();

  get(expect: Expect | null): Expectation {
    const key = JSON.stringify([expect?.kind, expect?.not, expect?.pattern]);
    const expectation = this.#compiled.get(key) ?? readExpectation(expect);
    this.#compiled.delete(key);
    this.#compiled.set(key, expectation);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > maxCompiledExpectations && oldest !== undefined) this.#compiled.delete(oldest);
    return expectation;
  }
}
