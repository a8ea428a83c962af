// The token of RFC 9110 §5.6.2: the form of a method, a header name and a cookie name.

const maxTokenLength = 128;
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** True for a token of at most 128 characters: no spaces, quotes or separators. */
export function isToken(text: string): boolean {
  return text.length <= maxTokenLength && tokenPattern.test(text);
}
