// Smooth weights: the state of each weighted round robin of this isolate. It outlives the table.

/** Maximum cursors kept. One more clears all: shares stay as they are, only the order is lost. */
const maxWeightedCursors = 5_000;

export class SmoothWeights {
  readonly #byCursor = new Map<string, Map<string, number>>();

  /** The current weights of a cursor's targets by target id; empty when the cursor is new. */
  of(cursor: string): Map<string, number> {
    const known = this.#byCursor.get(cursor);
    if (known !== undefined) return known;
    if (this.#byCursor.size >= maxWeightedCursors) this.#byCursor.clear();
    const weights = new Map<string, number>();
    this.#byCursor.set(cursor, weights);
    return weights;
  }
}
