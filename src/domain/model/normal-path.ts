// The path of a request as targets get it. `fetch` parses every URL by the URL standard, which resolves dot
// segments and encodes some characters, so path rules and hashes have to use the result of that.

/** Matches a path that the URL standard would change, and few others. */
export const mayChangeInUrl = /[^!-~]|["'<>\\^`{}#]|\/(?:\.|%2e)/i;

const origin = "http://x";

/**
 * A path and query as `fetch` sends them: dot segments (`..`, `%2e%2E`) are resolved, `\` in the path is `/`,
 * and `"`, `<`, `>`, `^`, `` ` ``, `{` and `}` in the path, `"`, `<`, `>` and `'` in the query and bytes
 * above 127 are percent-encoded. Anything else stays as it is: `//`, `;`, `%2F` and other encodings.
 *
 * @param path begins with `/`
 *
 * @see https://url.spec.whatwg.org/#path-state
 * @see docs/decisions/0062-one-reading-of-a-path.md
 */
export function normalPath(path: string): string {
  const { href, hash } = new URL(origin + path);
  return href.slice(origin.length, href.length - hash.length);
}

/**
 * The text that the paths of requests are compared with to match a path prefix. It has the same characters
 * encoded; its dots stay, because `/.` is also the beginning of `/.well-known`.
 */
export function normalPrefix(prefix: string): string {
  return prefix.replaceAll(/["<>^`{}]/g, encodeURIComponent);
}
