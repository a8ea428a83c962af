// What the statistics are given, and the two ways they answer that every part of them uses.

import type { MeshApi } from "../registry/api.ts";
import type { RoleReader } from "./authorization.ts";
import type { StatsTraffic } from "./input.ts";

/** What the statistics are given instead of taking it from their surroundings. */
export type StatsDeps = {
  readonly mesh: MeshApi;
  readonly traffic: () => Promise<StatsTraffic>;
  /** Empty: not set, and nobody is let in. */
  readonly operatorToken: string;
  /** Empty or absent: nobody has it. */
  readonly viewerToken?: string | undefined;
  /** Where they are: `/haproxy?stats`. */
  readonly uri: string;
  /**
   * Services answer on the same origin: a page of theirs could send our forms with the credentials that a browser
   * keeps, so that a form has to carry the operator's token itself.
   */
  readonly sharesOrigin: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** What nobody else can guess. */
  readonly newId: () => string;
};

/** The same, and whose a token is. */
export type StatsContext = StatsDeps & { readonly roleOf: RoleReader };

/** Headers of every answer: it holds what only who was let in may see. */
export const statsHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
} as const;

/** An answer in a sentence. */
export function textResponse(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...statsHeaders, ...headers },
  });
}
