// Printable text: text from outside as a terminal can show it without acting on it.

/**
 * Characters that a terminal may act on or not show: control characters, which begin escape sequences and move
 * the cursor; format characters, which reverse the order of text; unassigned and private ones; line separators.
 */
export const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;

const shortEscapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text as one line: each unprintable character as its escape in JavaScript, `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(unprintable, escapeOf);
}

/** As `printable`, cut to a length without splitting a character. */
export function printableUpTo(text: string, maxLength: number): string {
  return printable(text)
    .slice(0, maxLength)
    .replace(/[\ud800-\udbff]$/, "");
}

/** As `printable`, for a text of lines and columns: keeps line ends and tabs. */
export function printableLines(text: string): string {
  return text.replace(unprintable, (char) => (char === "\n" || char === "\t" ? char : escapeOf(char)));
}

/** JSON text with unprintable characters escaped; it has the same value. */
export function printableJson(json: string): string {
  return json.replace(unprintable, (char) => {
    if (char === "\n" || char === "\t") return char;
    return [...Array(char.length).keys()].map((unit) => `\\u${hexOf(char.charCodeAt(unit), 4)}`).join("");
  });
}

/** True for a text that `printable` leaves as it is. */
export function isPrintable(text: string): boolean {
  return text.search(unprintable) < 0;
}

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code <= 0xff) return shortEscapes[char] ?? `\\x${hexOf(code, 2)}`;
  return code <= 0xffff ? `\\u${hexOf(code, 4)}` : `\\u{${hexOf(code, 1)}}`;
}

function hexOf(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
