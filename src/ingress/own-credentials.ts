// The mesh's own credentials on the data plane: they stop here, on the way to a task and on the way back.

import { setsSessionCookie, withoutSessionCookies } from "../domain/model/session-cookie.ts";
import { carriesToken } from "../proxy/http/authorization.ts";

/**
 * Removes the dashboard's session cookies and any Authorization with a token of the mesh from the headers of an
 * upstream request. A browser sends both to every service on the host name where its user signed in.
 */
export function dropOwnCredentials(headers: Headers, isMeshToken: (text: string) => boolean): void {
  const cookies = headers.get("cookie");
  const rest = cookies === null ? null : withoutSessionCookies(cookies);
  // Unchanged cookies are not set again: the runtime would replace bytes that are not UTF-8.
  if (rest === null) headers.delete("cookie");
  else if (rest !== cookies) headers.set("cookie", rest);
  const authorization = headers.get("authorization");
  if (authorization !== null && carriesToken(authorization, isMeshToken)) headers.delete("authorization");
}

/** Removes the cookies by which a target would replace the dashboard's session; the others stay as they are. */
export function dropSessionSetCookies(headers: Headers): void {
  const all = headers.getSetCookie();
  const kept = all.filter((setCookie) => !setsSessionCookie(setCookie));
  if (kept.length === all.length) return;
  headers.delete("set-cookie");
  for (const setCookie of kept) headers.append("set-cookie", setCookie);
}

/** The response to an upgrade, rebuilt around its socket if it sets a session cookie. */
export function upgradeWithoutSessionCookies(response: Response): Response {
  if (!response.headers.getSetCookie().some(setsSessionCookie)) return response;
  const headers = new Headers(response.headers);
  dropSessionSetCookies(headers);
  const { status, webSocket } = response as Response & { readonly webSocket?: unknown };
  return new Response(null, { status, headers, webSocket } as ResponseInit);
}
