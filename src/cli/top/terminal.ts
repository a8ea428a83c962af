// The terminal while `waggle top` has it: the other screen, keys as they are pressed, and all as it was afterwards.

import type { KeySource, TextSink } from "../cli.ts";
import type { TerminalSize } from "./screen.ts";

// xterm's private modes: 1049 the other screen, 25 the cursor, 7 wrapping at the right edge.
const enterSequence = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const leaveSequence = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** A terminal that does not know its size says 0. */
const defaultSize: TerminalSize = { columns: 80, rows: 24 };

/** In one write, so that nothing flickers. A line is cleared before it is written: after a full one the cursor is on its last column. */
const cursorHome = "\x1b[H";
const clearRight = "\x1b[K";
const clearBelow = "\x1b[J";

type TerminalHandlers = { readonly onKeys: (text: string) => void; readonly onResize: () => void };

export class Terminal {
  readonly #out: TextSink;
  readonly #keys: KeySource;
  readonly #onData: (bytes: Uint8Array) => void;
  readonly #onResize: () => void;
  #displayed = "";

  constructor(out: TextSink, keys: KeySource, ears: TerminalHandlers) {
    this.#out = out;
    this.#keys = keys;
    const decoder = new TextDecoder();
    this.#onData = (bytes) => ears.onKeys(decoder.decode(bytes, { stream: true }));
    this.#onResize = () => {
      this.#displayed = "";
      ears.onResize();
    };
    out.write(enterSequence);
    keys.setRawMode?.(true);
    keys.resume();
    keys.on("data", this.#onData);
    out.on?.("resize", this.#onResize);
  }

  get size(): TerminalSize {
    const { columns, rows } = this.#out;
    return { columns: columns || defaultSize.columns, rows: rows || defaultSize.rows };
  }

  /** Shows these lines; writes nothing when they are there already, which a slow line thanks. */
  show(lines: readonly string[]): void {
    const text = `${cursorHome}${lines.map((line) => clearRight + line).join("\r\n")}${clearBelow}`;
    if (text === this.#displayed) return;
    this.#out.write(text);
    this.#displayed = text;
  }

  close(): void {
    this.#keys.off("data", this.#onData);
    this.#out.off?.("resize", this.#onResize);
    this.#keys.setRawMode?.(false);
    this.#keys.pause();
    this.#out.write(leaveSequence);
  }
}
