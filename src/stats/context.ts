// The dependencies of the statistics, and the headers of their responses.

import { type TokenChecker, tooManyTokens } from "../control/auth.ts";
import type { GuessLimit } from "../control/guess-limit.ts";
import type { MeshApi } from "../registry/api.ts";
import type { StatsTraffic } from "./input.ts";

export type StatsDeps = {
  readonly mesh: MeshApi;
  /** `isLive`: for a page that a person looks at. */
  readonly traffic: (isLive: boolean) => Promise<StatsTraffic>;
  /** Empty if not set: then every request is refused. */
  readonly operatorToken: string;
  /** Empty or absent if not set. */
  readonly viewerToken?: string;
  /** Limits wrong tokens; absent for a limit of this app alone. */
  readonly guesses?: GuessLimit;
  /** The address of the statistics, such as `/haproxy?stats`. */
  readonly uri: string;
  /**
   * True if services share the origin. One of their pages could then submit our form with the browser's
   * credentials, so a form must contain the operator's token.
   */
  readonly sharesOrigin: boolean;
  /** True where nothing can be changed, whatever the token. Absent: false. */
  readonly isReadOnly?: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Returns an unguessable id. */
  readonly newId: () => string;
};

export type StatsContext = StatsDeps & { readonly check: TokenChecker };

/** Headers of every response. */
export const statsHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
} as const;

/** A response of one sentence. */
export function textResponse(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...statsHeaders, ...headers },
  });
}

/** The response to a client that has sent too many wrong tokens. */
export function tooManyResponse(retryAfterS: number): Response {
  return textResponse(429, tooManyTokens(retryAfterS), { "retry-after": String(retryAfterS) });
}
