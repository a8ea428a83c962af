// Counts and lists of names in the sentences of problems.

/** `1 task`, `3 tasks`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `a`, `a and b`, `a, b, c and 4 more`; numbers in names are sorted as numbers. */
export function listText(unsorted: readonly string[], maxNamed: number): string {
  const names = unsorted.toSorted(compareNames);
  const moreCount = names.length - maxNamed;
  if (moreCount > 0) return `${names.slice(0, maxNamed).join(", ")} and ${moreCount} more`;
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

const { compare: compareNames } = new Intl.Collator("en", { numeric: true });
