// The hash of a routing table's lines: that of each line, added up. So a change of the table changes it by the lines
// that it removes and adds, and not in proportion to the table. It shows that two sides hold the same table; it is no
// protection against somebody who chooses the lines.

import { textLanes } from "../model/text-hash.ts";
import type { RoutingTable } from "./table.ts";

/** Identifies a table by its lines. @param parts the hash of its nodes and services */
export function tableHash(
  { version, defaultService, signingKey }: Pick<RoutingTable, "version" | "defaultService" | "signingKey">,
  parts: PartsHash,
): string {
  return parts
    .copy()
    .add("", JSON.stringify([version, defaultService, signingKey]))
    .toString();
}

/** Two sums of 32 bits. */
export class PartsHash {
  #high: number;
  #low: number;

  private constructor(high: number, low: number) {
    this.#high = high;
    this.#low = low;
  }

  /** The hash of no lines. */
  static empty(): PartsHash {
    return new PartsHash(0, 0);
  }

  copy(): PartsHash {
    return new PartsHash(this.#high, this.#low);
  }

  /** @param owner id of the service that the line belongs to; empty: it is a line of the table */
  add(owner: string, line: string): this {
    this.#mix(owner, line, 1);
    return this;
  }

  /** Takes back `add` of the same line. */
  remove(owner: string, line: string): this {
    this.#mix(owner, line, -1);
    return this;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** Adds or subtracts a line's hash. */
  #mix(owner: string, line: string, sign: 1 | -1): void {
    const [high, low] = textLanes(owner, line);
    this.#high = (this.#high + sign * high) | 0;
    this.#low = (this.#low + sign * low) | 0;
  }
}

function hex(sum: number): string {
  return (sum >>> 0).toString(16).padStart(8, "0");
}
