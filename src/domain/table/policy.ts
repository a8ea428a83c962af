// A policy: how the next task is picked among those that can take a request, in HAProxy's words for `balance`.

import { isToken } from "../model/http-token.ts";

export type Policy =
  | "roundrobin"
  | "leastconn"
  | "random"
  | "source"
  | "uri"
  | `hdr(${string})`
  | `cookie(${string})`;

const plainPolicies: readonly string[] = ["roundrobin", "leastconn", "random", "source", "uri"];

/** How each is written, for refusals. */
export const policyWords = "roundrobin, leastconn, random, source, uri, hdr(NAME) or cookie(NAME)";

/** The policy a text names, a header's name in lower case; null when it names none. */
export function readPolicy(text: string): Policy | null {
  if (plainPolicies.includes(text)) return text as Policy;
  const [, kind, name] = /^(hdr|cookie)\(([^()]+)\)$/.exec(text) ?? [];
  if (kind === undefined || name === undefined || !isToken(name)) return null;
  return kind === "hdr" ? `hdr(${name.toLowerCase()})` : `cookie(${name})`;
}

/** Name of the header or cookie a policy hashes; null where it goes by neither. */
export function hashedField(
  policy: Policy,
): { readonly kind: "hdr" | "cookie"; readonly name: string } | null {
  const open = policy.indexOf("(");
  if (open < 0) return null;
  return { kind: policy.startsWith("hdr") ? "hdr" : "cookie", name: policy.slice(open + 1, -1) };
}
