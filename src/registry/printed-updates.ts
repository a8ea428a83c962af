// What routers get of the newest table: each update is made once, however many routers get it.

import { gzipSync } from "node:zlib";

/** Changes from different versions that are kept. Nearly all routers have the same one. */
const maxChanges = 32;

type TablePrinter = {
  readonly text: (version: number) => string;
  /** Null: the change from this version is not known, or too long. */
  readonly change: (fromVersion: number) => string | null;
};

export class PrintedUpdates {
  readonly #printer: TablePrinter;
  #version = -1;
  #text: string | null = null;
  #gzip: Uint8Array | null = null;
  /** By the version that they begin at. */
  readonly #changes = new Map<number, string | null>();

  constructor(printer: TablePrinter) {
    this.#printer = printer;
  }

  /** The whole table. @param version the newest one */
  text(version: number): string {
    this.#follow(version);
    this.#text ??= this.#printer.text(version);
    return this.#text;
  }

  /** The whole table, compressed. Its text is not kept for that. @param version the newest one */
  whole(version: number): Uint8Array {
    this.#follow(version);
    // A copy has a buffer of its own length.
    this.#gzip ??= new Uint8Array(gzipSync(this.#text ?? this.#printer.text(version), { level: 1 }));
    return this.#gzip;
  }

  /** @param version the newest one */
  change(version: number, fromVersion: number): string | null {
    this.#follow(version);
    let change = this.#changes.get(fromVersion);
    if (change === undefined) {
      change = this.#printer.change(fromVersion);
      if (this.#changes.size >= maxChanges) this.#changes.clear();
      this.#changes.set(fromVersion, change);
    }
    return change;
  }

  #follow(version: number): void {
    if (version === this.#version) return;
    this.#version = version;
    this.#text = null;
    this.#gzip = null;
    this.#changes.clear();
  }
}
