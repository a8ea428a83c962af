// `waggle top` on a terminal: a reading at each interval, and a new screen after each reading and each key.

import type { Cli, KeySource } from "../cli.ts";
import { CliError } from "../errors.ts";
import { applyKey, readKeys, showsTasks, type TopState } from "./keys.ts";
import { utcTime } from "./numbers.ts";
import { colorPainter, type Painter, plainPainter } from "./paint.ts";
import type { TopReading } from "./rows.ts";
import { screenLines } from "./screen.ts";
import { Terminal } from "./terminal.ts";
import type { TopReader } from "./top.ts";

/** Minimum ratio of the pause to the duration of a reading, so that watching does not load a large mesh. */
const restFactor = 4;

type WatchOptions = {
  readonly cli: Cli;
  readonly keys: KeySource;
  readonly read: TopReader;
  readonly intervalMs: number;
};

/** Shows readings until the user quits. @returns true after an interrupt, false after q */
export function watchTop(options: WatchOptions, reading: TopReading, state: TopState): Promise<boolean> {
  return new TopSession(options, reading, state).run();
}

class TopSession {
  readonly #cli: Cli;
  readonly #read: TopReader;
  readonly #intervalMs: number;
  readonly #terminal: Terminal;
  readonly #paint: Painter;
  readonly #quit = new AbortController();
  #reading: TopReading;
  #state: TopState;
  /** Replaces the list of keys in the last line: why the reading is old. */
  #notice = "";
  #isInterrupted = false;

  constructor({ cli, keys, read, intervalMs }: WatchOptions, reading: TopReading, state: TopState) {
    this.#cli = cli;
    this.#read = read;
    this.#intervalMs = intervalMs;
    this.#reading = reading;
    this.#state = state;
    this.#paint = cli.env.NO_COLOR ? plainPainter : colorPainter;
    this.#terminal = new Terminal(cli.out, keys, {
      onResize: () => this.#show(),
      onKeys: (text) => this.#onKeys(text),
    });
    cli.onInterrupt().addEventListener("abort", () => this.#end(true));
  }

  async run(): Promise<boolean> {
    const { signal } = this.#quit;
    let readMs = 0;
    try {
      this.#show();
      while (!signal.aborted) {
        await this.#cli.sleep(Math.max(this.#intervalMs, readMs * restFactor), signal);
        if (signal.aborted || this.#state.isPaused) continue;
        const startMs = this.#cli.nowMs();
        await this.#refresh();
        readMs = this.#cli.nowMs() - startMs;
        if (!signal.aborted) this.#show();
      }
    } finally {
      this.#terminal.close();
    }
    return this.#isInterrupted;
  }

  /** Reads again. If the mesh cannot be read, keeps the last reading and says why. */
  async #refresh(): Promise<void> {
    try {
      this.#reading = await this.#read(showsTasks(this.#state));
      this.#notice = "";
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.#notice = `As of ${utcTime(this.#reading.atMs)}: ${error.message}; trying again`;
    }
  }

  #onKeys(text: string): void {
    for (const key of readKeys(text)) {
      const next = applyKey(this.#state, key);
      if (next === null) {
        this.#end(key === "ctrl-c");
        return;
      }
      this.#state = next;
    }
    this.#show();
  }

  #end(isInterrupt: boolean): void {
    this.#isInterrupted = isInterrupt;
    this.#quit.abort();
  }

  #show(): void {
    const { size } = this.#terminal;
    this.#terminal.show(screenLines(this.#reading, this.#state, size, this.#paint, this.#notice));
  }
}
