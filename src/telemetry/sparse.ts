// Sparse numbers: an array that is mostly zeros, written as index, value, index, value.

export type SparseArray = readonly number[];

export function toSparse(values: ArrayLike<number>): SparseArray {
  const pairs: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? 0;
    if (value !== 0) pairs.push(index, value);
  }
  return pairs;
}

/** Adds what was written to an array; indexes it does not have are left out. */
export function addSparse(to: Float64Array, pairs: SparseArray): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const index = pairs[at] ?? -1;
    const value = to[index];
    if (value !== undefined) to[index] = value + (pairs[at + 1] ?? 0);
  }
}
