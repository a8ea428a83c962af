// Cookies in a Cookie header (RFC 6265 §4.2): finding one, and removing one.

/** The value of the first cookie with a name (case-sensitive); null without one. */
export function cookieOf(header: string | null, name: string): string | null {
  if (header === null || !header.includes(name)) return null;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/**
 * The header without the cookies of a name; null when nothing is left. The other cookies keep their bytes.
 */
export function withoutCookie(header: string, name: string): string | null {
  const left = header.split(";").filter((pair) => pair.split("=", 1)[0]?.trim() !== name);
  return left.length === 0 ? null : left.join(";").trimStart();
}
