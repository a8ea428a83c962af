// Load-balancing policies: how a target is picked for a request, named as in HAProxy's `balance`.

import { isToken } from "../model/http-token.ts";

/** @see docs/decisions/0020-policies-in-haproxy-words.md */
export type Policy =
  | "roundrobin"
  | "leastconn"
  | "random"
  | "source"
  | "uri"
  | `hdr(${string})`
  | `cookie(${string})`;

const plainPolicies: readonly string[] = ["roundrobin", "leastconn", "random", "source", "uri"];

/** The list of policies for error messages. */
export const policyWords = "roundrobin, leastconn, random, source, uri, hdr(NAME) or cookie(NAME)";

/** Reads a policy and writes its header name in lower case; null if the text is not a policy. */
export function readPolicy(text: string): Policy | null {
  if (plainPolicies.includes(text)) return text as Policy;
  const [, kind, name] = /^(hdr|cookie)\(([^()]+)\)$/.exec(text) ?? [];
  if (kind === undefined || name === undefined || !isToken(name)) return null;
  return kind === "hdr" ? `hdr(${name.toLowerCase()})` : `cookie(${name})`;
}

/** The header or cookie that a policy hashes; null if it hashes neither. */
export function hashedField(
  policy: Policy,
): { readonly kind: "hdr" | "cookie"; readonly name: string } | null {
  const open = policy.indexOf("(");
  if (open < 0) return null;
  return { kind: policy.startsWith("hdr") ? "hdr" : "cookie", name: policy.slice(open + 1, -1) };
}
