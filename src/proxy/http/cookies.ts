// Cookies in a Cookie header (RFC 6265 §4.2): finding one, removing one, and undoing how the runtime joins
// several lines.
//
// workerd joins several Cookie lines with ", ", although they belong together with "; " (RFC 9113 §8.2.3). A
// listener joins them first. Elsewhere a value that contains ", NAME=" looks the same, which RFC 6265 does not
// allow but clients send, so the mesh finds its own cookies in both readings and leaves all others alone.

/** Between two cookies, also of two lines that were joined. */
const separator = /(;|, (?=[^\s=;,]+=))/;

/** The value of the first cookie with a name (case-sensitive); null without one. */
export function cookieOf(header: string | null, name: string): string | null {
  if (header === null || !header.includes(name)) return null;
  for (const pair of header.split(separator)) {
    const equals = pair.indexOf("=");
    if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/**
 * The header without the cookies of a name; null when nothing is left. The other cookies keep their bytes.
 */
export function withoutCookie(header: string, name: string): string | null {
  // Pairs and separators in turn.
  const parts = header.split(separator);
  let left = "";
  for (let index = 0; index < parts.length; index += 2) {
    const pair = parts[index] as string;
    if (pair.split("=", 1)[0]?.trim() !== name) left += left === "" ? pair : `${parts[index - 1]}${pair}`;
  }
  return left === "" ? null : left.trimStart();
}

/** A header that the runtime has joined from several lines, as one line of a client. */
export function withJoinedLines(header: string): string {
  return header
    .split(separator)
    .map((part) => (part === ", " ? "; " : part))
    .join("");
}
