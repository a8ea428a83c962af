// The hash of a routing table's lines: that of each line, added up. So a change of the table changes it by the lines
// that it removes and adds, and not in proportion to the table. It shows that two sides hold the same table; it is no
// protection against somebody who chooses the lines.

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

  /** Adds or subtracts a line's hash: cyrb53, which is MurmurHash's mixing in two lanes. */
  #mix(owner: string, line: string, sign: 1 | -1): void {
    let high = 0xdeadbeef;
    let low = 0x41c6ce57;
    for (let at = 0; at < owner.length; at += 1) {
      const code = owner.charCodeAt(at);
      high = Math.imul(high ^ code, 2_654_435_761);
      low = Math.imul(low ^ code, 1_597_334_677);
    }
    high = Math.imul(high ^ 0x1_0000, 2_654_435_761);
    low = Math.imul(low ^ 0x1_0000, 1_597_334_677);
    for (let at = 0; at < line.length; at += 1) {
      const code = line.charCodeAt(at);
      high = Math.imul(high ^ code, 2_654_435_761);
      low = Math.imul(low ^ code, 1_597_334_677);
    }
    const mixedHigh =
      Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
    const mixedLow =
      Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(mixedHigh ^ (mixedHigh >>> 13), 3_266_489_909);
    this.#high = (this.#high + sign * mixedHigh) | 0;
    this.#low = (this.#low + sign * mixedLow) | 0;
  }
}

function hex(sum: number): string {
  return (sum >>> 0).toString(16).padStart(8, "0");
}
