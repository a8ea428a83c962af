// The dependencies of the statistics, and the headers of their responses.

import type { MeshApi } from "../registry/api.ts";
import type { RoleReader } from "./authorization.ts";
import type { StatsTraffic } from "./input.ts";

export type StatsDeps = {
  readonly mesh: MeshApi;
  readonly traffic: () => Promise<StatsTraffic>;
  /** Empty if not set: then every request is refused. */
  readonly operatorToken: string;
  /** Empty or absent if not set. */
  readonly viewerToken?: string | undefined;
  /** The address of the statistics, such as `/haproxy?stats`. */
  readonly uri: string;
  /**
   * True if services share the origin. One of their pages could then submit our form with the browser's
   * credentials, so a form must contain the operator's token.
   */
  readonly sharesOrigin: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Returns an unguessable id. */
  readonly newId: () => string;
};

export type StatsContext = StatsDeps & { readonly roleOf: RoleReader };

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
