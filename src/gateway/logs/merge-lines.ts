// Puts the lines of several sources into the order of their times.

/** Lines of one source, in their order. An empty list: the source has nothing to say now. */
type LineSource<T> = AsyncIterator<readonly T[], unknown>;

type Lane<T> = {
  readonly source: LineSource<T>;
  lines: readonly T[];
  at: number;
  isReading: boolean;
  isOver: boolean;
  /** It had no line for a while: the others do not wait for it until it has one. */
  isQuiet: boolean;
  error: unknown;
};

/**
 * Merges sources. It reads no source ahead by more than one list, so that a slow reader holds all of them back.
 * Sources may be added while it goes on.
 */
export class LineMerge<T extends { readonly time: string; readonly text: Uint8Array }> {
  readonly #quietMs: number | null;
  readonly #lanes = new Set<Lane<T>>();
  #change = Promise.withResolvers<void>();

  /** @param quietMs how long the others wait for a source, milliseconds; null: until it has a line or ends */
  constructor(quietMs: number | null) {
    this.#quietMs = quietMs;
  }

  add(source: LineSource<T>): void {
    this.#lanes.add({
      source,
      lines: [],
      at: 0,
      isReading: false,
      isOver: false,
      isQuiet: false,
      error: null,
    });
    this.#wake();
  }

  /**
   * The next lines in their order, at least one; null when all sources are over.
   *
   * @param maxBytes ends the list, which may be longer by one line
   * @throws the error of a source
   */
  async next(maxBytes: number): Promise<readonly T[] | null> {
    const lines: T[] = [];
    for (let bytes = 0; bytes < maxBytes; ) {
      this.#read();
      const waiting = [...this.#lanes].some((lane) => isEmpty(lane) && !lane.isQuiet);
      if (!waiting) {
        const first = this.#first();
        if (first !== null) {
          const line = first.lines[first.at] as T;
          lines.push(line);
          bytes += line.text.length;
          first.at += 1;
          continue;
        }
        if (lines.length > 0) return lines;
        if (this.#lanes.size === 0) return null;
      }
      // What is in order already does not wait for a timer.
      if (lines.length > 0 && waiting) return lines;
      await this.#changed(waiting && this.#first() !== null);
    }
    return lines;
  }

  /** Ends all sources. */
  close(): void {
    for (const { source } of this.#lanes) void source.return?.()?.catch(() => undefined);
    this.#lanes.clear();
    this.#wake();
  }

  /** Reads the sources whose lines are used up. */
  #read(): void {
    for (const lane of this.#lanes) {
      if (lane.error !== null) {
        this.#lanes.delete(lane);
        throw lane.error;
      }
      if (lane.isOver) this.#lanes.delete(lane);
      if (!isEmpty(lane) || lane.isReading || lane.isOver) continue;
      lane.isReading = true;
      void lane.source.next().then(
        ({ done, value }) => {
          lane.isReading = false;
          lane.isOver = done === true;
          if (done !== true) {
            lane.lines = value;
            lane.at = 0;
            lane.isQuiet = this.#quietMs !== null && value.length === 0;
          }
          this.#wake();
        },
        (error: unknown) => {
          lane.isReading = false;
          lane.error = error ?? new Error("the source failed");
          this.#wake();
        },
      );
    }
  }

  #first(): Lane<T> | null {
    let first: Lane<T> | null = null;
    let time = "";
    for (const lane of this.#lanes) {
      const line = lane.lines[lane.at];
      if (line === undefined || (first !== null && line.time >= time)) continue;
      first = lane;
      time = line.time;
    }
    return first;
  }

  /** Waits for a source. @param isTimed others have lines, and wait for `quietMs` only */
  async #changed(isTimed: boolean): Promise<void> {
    const change = this.#change.promise;
    if (!isTimed || this.#quietMs === null) return change;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const quiet = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        for (const lane of this.#lanes) lane.isQuiet ||= isEmpty(lane);
        resolve();
      }, this.#quietMs ?? 0);
    });
    await Promise.race([change, quiet]);
    clearTimeout(timer);
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

function isEmpty({ lines, at }: Lane<{ readonly time: string }>): boolean {
  return at >= lines.length;
}
