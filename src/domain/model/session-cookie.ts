// The dashboard's session cookie: its name, and how other parts recognize it in requests and responses.
//
// Cookies ignore ports (RFC 6265 §8.5), so a browser sends the cookie to every service on the dashboard's host
// name, and every service there can set it. The data plane therefore removes it in both directions.

/** HAProxy's `indirect` for our own cookie: `waggle`, `waggle-8787`, each with a prefix of RFC 6265bis §4.1.3. */
const cookiePair = /(?:^|[;,])[\t =]*(?:__(?:Host|Secure)-)?waggle(?:-\d+)?[\t ]*=[^;,]*/g;
const cookieAtStart = /^[\s=]*(?:__(?:Host|Secure)-)?waggle(?:-\d+)?\s*=/;

/**
 * The name of the cookie. Over HTTPS `__Host-` keeps other host names and plain HTTP from setting it. Browsers
 * refuse the prefix over plain HTTP, where the port separates meshes on one machine.
 */
export function sessionCookieName({ protocol, port }: Pick<URL, "protocol" | "port">): string {
  const suffix = port === "" ? "" : `-${port}`;
  return `${protocol === "https:" ? "__Host-" : ""}waggle${suffix}`;
}

/**
 * A Cookie header without the session cookies of any mesh; null if nothing is left. The other cookies keep
 * their characters. A comma also separates cookies, because the runtime joins several Cookie lines by commas.
 */
export function withoutSessionCookies(cookies: string): string | null {
  const rest = cookies.replaceAll(cookiePair, "").replace(/^[;,\t ]+/, "");
  return rest === "" ? null : rest;
}

/** True if a Set-Cookie header sets a session cookie, also as the value of a cookie without a name. */
export function setsSessionCookie(setCookie: string): boolean {
  return cookieAtStart.test(setCookie);
}
