// The hash of texts that are compared across runtimes: small, equal everywhere and synchronous, which the platform's
// digests are not. It is no protection against somebody who chooses the texts.

/** Between two texts; no text has such a code unit. */
const separator = 0x1_0000;

/** Two 32-bit multiply-and-xor lanes over the code units, mixed at the end (cyrb53). */
export function textLanes(...texts: readonly string[]): readonly [high: number, low: number] {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  const take = (unit: number): void => {
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  };
  for (const [index, text] of texts.entries()) {
    if (index > 0) take(separator);
    for (let at = 0; at < text.length; at += 1) take(text.charCodeAt(at));
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return [high, low];
}
