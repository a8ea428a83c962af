// The terminal of `waggle top`: alternate screen, raw keys, and the original state restored on close.

import type { KeySource, TextSink } from "../cli.ts";
import { writeRaw } from "../output.ts";
import type { TerminalSize } from "./screen.ts";

// Private modes of xterm: 1049 alternate screen, 25 cursor, 7 wrapping at the right edge.
const enterSequence = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const leaveSequence = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** Used when the terminal reports a size of 0. */
const defaultSize: TerminalSize = { columns: 80, rows: 24 };

// Each line is cleared before it is written: after a full line the cursor stays on the last column.
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

  constructor(out: TextSink, keys: KeySource, handlers: TerminalHandlers) {
    this.#out = out;
    this.#keys = keys;
    const decoder = new TextDecoder();
    this.#onData = (bytes) => handlers.onKeys(decoder.decode(bytes, { stream: true }));
    this.#onResize = () => {
      this.#displayed = "";
      handlers.onResize();
    };
    writeRaw(out, enterSequence);
    keys.setRawMode?.(true);
    keys.resume();
    keys.on("data", this.#onData);
    out.on?.("resize", this.#onResize);
  }

  get size(): TerminalSize {
    const { columns, rows } = this.#out;
    return { columns: columns || defaultSize.columns, rows: rows || defaultSize.rows };
  }

  /** Shows lines, in one write to avoid flicker; writes nothing if they are on the screen already. */
  show(lines: readonly string[]): void {
    const text = `${cursorHome}${lines.map((line) => clearRight + line).join("\r\n")}${clearBelow}`;
    if (text === this.#displayed) return;
    writeRaw(this.#out, text);
    this.#displayed = text;
  }

  close(): void {
    this.#keys.off("data", this.#onData);
    this.#out.off?.("resize", this.#onResize);
    this.#keys.setRawMode?.(false);
    this.#keys.pause();
    writeRaw(this.#out, leaveSequence);
  }
}
