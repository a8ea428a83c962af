// The token of RFC 9110 §5.6.2: what a method, a header's name or a cookie's name is made of.

const maxTokenLength = 128;
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** True for a token of at most 128 characters: no spaces, quotes or separators. */
export function isToken(text: string): boolean {
  return text.length <= maxTokenLength && tokenPattern.test(text);
}
