// Cookies in a request's Cookie header (RFC 6265 §4.2): one looked up, one taken out.

/** The value of the first cookie of a name (case counts); null when there is none. */
export function cookieOf(header: string | null, name: string): string | null {
  if (header === null || !header.includes(name)) return null;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/** The header without the cookies of a name; null when nothing is left. What stays keeps its bytes. */
export function withoutCookie(header: string, name: string): string | null {
  const left = header.split(";").filter((pair) => pair.split("=", 1)[0]?.trim() !== name);
  return left.length === 0 ? null : left.join(";").trimStart();
}
