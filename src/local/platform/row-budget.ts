// The rows that all Durable Objects of an account read and write in a day. Workers Free has a budget for them; when
// it is spent, statements fail until 00:00 UTC.

export type RowCounts = { readonly read: number; readonly written: number };

const dayMs = 86_400_000;

/** First words of statements that only read. `WITH` may begin both. */
const readWords: ReadonlySet<string> = new Set(["explain", "pragma", "select", "values"]);
const writeWords = ["delete ", "insert ", "update "];

export class RowBudget {
  readonly #perDay: RowCounts;
  #day = Number.NEGATIVE_INFINITY;
  #today = { read: 0, written: 0 };
  #total = { read: 0, written: 0 };

  /** @param perDay infinite: no budget, as on Workers Paid */
  constructor(perDay: RowCounts) {
    this.#perDay = perDay;
  }

  /** The rows since the start. */
  get total(): RowCounts {
    return this.#total;
  }

  /** Why a statement fails; null if it may run. */
  refusal(sql: string, nowMs: number): string | null {
    this.#startDay(nowMs);
    if (this.#today.written >= this.#perDay.written && isWrite(sql)) return exceeded("written");
    return this.#today.read >= this.#perDay.read ? exceeded("read") : null;
  }

  /** Why no alarm can be set, which writes a row; null if it can. */
  alarmRefusal(nowMs: number): string | null {
    this.#startDay(nowMs);
    return this.#today.written >= this.#perDay.written ? exceeded("written") : null;
  }

  /** Counts the rows of a statement that has run. */
  count({ read, written }: RowCounts, nowMs: number): void {
    this.#startDay(nowMs);
    this.#today = { read: this.#today.read + read, written: this.#today.written + written };
    this.#total = { read: this.#total.read + read, written: this.#total.written + written };
  }

  #startDay(nowMs: number): void {
    const day = Math.floor(nowMs / dayMs);
    if (day === this.#day) return;
    this.#day = day;
    this.#today = { read: 0, written: 0 };
  }
}

function isWrite(sql: string): boolean {
  const text = sql.toLowerCase();
  const word = /^\s*(\w+)/.exec(text)?.[1] ?? "";
  return word === "with" ? writeWords.some((write) => text.includes(write)) : !readWords.has(word);
}

function exceeded(what: keyof RowCounts): string {
  return `Exceeded allowed rows ${what} in Durable Objects free tier.`;
}
