// A limit for wrong tokens of one client address.

import { parseIp } from "../domain/model/cidr.ts";

/** Wrong tokens that an address may send at once. */
const maxGuesses = 10;

/** One more is allowed each time this has passed, milliseconds. */
const guessIntervalMs = 6_000;

/** Addresses remembered; beyond that the one that has been quiet for longest is forgotten. */
const maxAddresses = 10_000;

/**
 * Counts the wrong tokens of each address by the generic cell rate algorithm: one time per address, which each
 * wrong token moves ahead of the clock. The right token is never counted and always accepted, so that a
 * guesser at the same address cannot lock its holder out.
 *
 * @see docs/decisions/0058-sessions.md
 */
export class GuessLimit {
  /** By address, quiet ones first, when its count is 0 again; epoch milliseconds. */
  readonly #emptyAtMs = new Map<string, number>();

  /** Addresses remembered now. */
  get size(): number {
    return this.#emptyAtMs.size;
  }

  /** Seconds until an address may send another wrong token; null if it may now. Counts nothing. */
  waitS(address: string, nowMs: number): number | null {
    const emptyAtMs = this.#emptyAtMs.get(networkOf(address)) ?? 0;
    const fullByMs = emptyAtMs + guessIntervalMs - (nowMs + maxGuesses * guessIntervalMs);
    return fullByMs > 0 ? Math.ceil(fullByMs / 1_000) : null;
  }

  /**
   * Counts a wrong token.
   *
   * @param address the client's
   * @returns seconds until the next one is allowed; null if this one was
   */
  count(address: string, nowMs: number): number | null {
    const key = networkOf(address);
    const capacityMs = maxGuesses * guessIntervalMs;
    // Not further ahead than a full count, in case the clock was set back.
    const emptyAtMs = Math.min(Math.max(this.#emptyAtMs.get(key) ?? 0, nowMs), nowMs + capacityMs);
    const fullByMs = emptyAtMs + guessIntervalMs - (nowMs + capacityMs);
    this.#emptyAtMs.delete(key);
    this.#emptyAtMs.set(key, fullByMs > 0 ? emptyAtMs : emptyAtMs + guessIntervalMs);
    const [quietest] = this.#emptyAtMs.keys();
    if (quietest !== undefined && this.#emptyAtMs.size > maxAddresses) this.#emptyAtMs.delete(quietest);
    return fullByMs > 0 ? Math.ceil(fullByMs / 1_000) : null;
  }
}

/** One IPv6 client has a whole /64 network (RFC 6177), so that counts as one address. */
function networkOf(address: string): string {
  const bytes = parseIp(address);
  return bytes?.length === 16 ? `${bytes.slice(0, 8).join(".")}/64` : address;
}
