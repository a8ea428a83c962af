// Authorization of the statistics: HTTP Basic, as with HAProxy's `stats auth`, or a bearer token.

/**
 * The token in a request's credentials; null without one. With Basic it is the password, and the user name is
 * ignored, since some exporters require one.
 */
export function tokenOfCredentials(authorization: string): string | null {
  const [, scheme = "", credentials = ""] = /^(basic|bearer) +([^ ]+) *$/i.exec(authorization) ?? [];
  if (scheme === "") return null;
  if (scheme.toLowerCase() === "bearer") return credentials;
  const pair = decodeBase64(credentials);
  const colon = pair.indexOf(":");
  return colon === -1 ? null : pair.slice(colon + 1);
}

function decodeBase64(text: string): string {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return "";
  }
}
