// An order of texts that is the same on every runtime.

/** Compares two texts by UTF-16 code unit. Unlike `localeCompare`, it does not depend on a locale. */
export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
