// What each weighted round robin of this isolate keeps from pick to pick, so that it outlives the table.

/** Rounds kept at most; beyond, all start anew: shares stay as they are, only order is lost. */
const maxSmoothWeights = 5_000;

export class SmoothWeights {
  readonly #rounds = new Map<string, Map<string, number>>();

  /** The round's currents by target id; empty when it is new. */
  of(round: string): Map<string, number> {
    const known = this.#rounds.get(round);
    if (known !== undefined) return known;
    if (this.#rounds.size >= maxSmoothWeights) this.#rounds.clear();
    const made = new Map<string, number>();
    this.#rounds.set(round, made);
    return made;
  }
}
