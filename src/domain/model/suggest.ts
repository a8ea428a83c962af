// Suggestions for misspelled words.

/** The known word closest to a misspelled one; null if none is close. */
export function suggest(word: string, known: Iterable<string>): string | null {
  let closest: string | null = null;
  let minDistance = Math.min(3, Math.ceil(word.length / 3) + 1);
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < minDistance) [closest, minDistance] = [candidate, distance];
  }
  return closest;
}

/** The end of an error message about an unknown word; empty without a suggestion. */
export function didYouMean(suggestion: string | null): string {
  return suggestion === null ? "" : `: did you mean ${suggestion}?`;
}

/** Levenshtein distance: letters to replace, insert or delete between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
