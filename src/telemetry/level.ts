// A level: how many there are now of what comes and goes, and how many there were at most.

export class Gauge {
  /** Those that came in the present turn, and in the one before. */
  #current = 0;
  #previous = 0;
  #max = 0;

  get value(): number {
    return this.#current + this.#previous;
  }

  get max(): number {
    return this.#max;
  }

  /** Takes in that one came. */
  increment(): void {
    this.#current += 1;
    if (this.value > this.#max) this.#max = this.value;
  }

  /** Takes in that one went. @param turnsAgo how many turns ago it came */
  decrement(turnsAgo: number): void {
    if (turnsAgo === 0) this.#current -= 1;
    else if (turnsAgo === 1) this.#previous -= 1;
  }

  /**
   * What came before the turn that ended has gone, whether anybody said so or not: the platform stops a request in its
   * tracks when its client goes away.
   */
  rotate(): void {
    this.#previous = this.#current;
    this.#current = 0;
  }

  /** From here on the most is told anew. */
  resetMax(): void {
    this.#max = this.value;
  }
}
