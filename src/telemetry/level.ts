// A level: how many there are now of what comes and goes, and how many there were at most.

export class Level {
  /** Those that came in the present turn, and in the one before. */
  #now = 0;
  #before = 0;
  #max = 0;

  get now(): number {
    return this.#now + this.#before;
  }

  get max(): number {
    return this.#max;
  }

  /** Takes in that one came. */
  came(): void {
    this.#now += 1;
    if (this.now > this.#max) this.#max = this.now;
  }

  /** Takes in that one went. @param turnsAgo how many turns ago it came */
  went(turnsAgo: number): void {
    if (turnsAgo === 0) this.#now -= 1;
    else if (turnsAgo === 1) this.#before -= 1;
  }

  /**
   * What came before the turn that ended has gone, whether anybody said so or not: the platform stops a request in its
   * tracks when its client goes away.
   */
  turn(): void {
    this.#before = this.#now;
    this.#now = 0;
  }

  /** From here on the most is told anew. */
  restart(): void {
    this.#max = this.now;
  }
}
