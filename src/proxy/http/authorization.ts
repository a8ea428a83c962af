// The credentials in an Authorization header (RFC 9110 §11.6.2), in each form that applications read.

/** A token that stands alone, between quotes, or as the value of a parameter: `token="…"`. */
const parameter = /^(?:[\w-]+=)?"?(.*?)"?$/;

/**
 * True if one of the credentials is a token: as it stands, as a parameter's value, or as the user name or the
 * password of HTTP Basic (RFC 7617). The scheme does not count, because applications differ in how they read
 * it. Several Authorization lines are joined by commas.
 *
 * @param isToken compares in constant time
 */
export function carriesToken(authorization: string, isToken: (text: string) => boolean): boolean {
  const isBasic = /\bbasic\b/i.test(authorization);
  return authorization
    .split(/[\s,]+/)
    .some(
      (word) =>
        isToken(word) ||
        isToken(parameter.exec(word)?.[1] ?? "") ||
        (isBasic && isTokenInBasic(word, isToken)),
    );
}

function isTokenInBasic(word: string, isToken: (text: string) => boolean): boolean {
  const pair = decodeBase64(word);
  const colon = pair.indexOf(":");
  return isToken(pair.slice(0, Math.max(colon, 0)).trim()) || isToken(pair.slice(colon + 1).trim());
}

/** Decodes both alphabets, with or without padding, and skips other characters, as lenient readers do. */
function decodeBase64(text: string): string {
  const digits = text
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replaceAll(/[^A-Za-z0-9+/]/g, "");
  const bytes = atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}
