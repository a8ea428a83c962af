// Where a request to a plain port is redirected, if the machine serves the same host with TLS.

import type { RuntimeRequest } from "./read-request.ts";

/** The path by which an authority checks a name (RFC 8555 §8.3). It begins with plain HTTP. */
const challengePath = "/.well-known/acme-challenge/";

export type Redirect = {
  /** 301 for GET and HEAD; 308 for other methods, which keeps them. */
  readonly status: 301 | 308;
  readonly location: string;
};

/** @param tlsPort null: requests are not redirected. @returns null for a request to serve */
export function redirectToHttps(
  { method, target, headers }: Pick<RuntimeRequest, "method" | "target" | "headers">,
  tlsPort: number | null,
): Redirect | null {
  if (tlsPort === null || target.startsWith(challengePath)) return null;
  const host = headers[headers.lastIndexOf("host") + 1] ?? "";
  const name = host.replace(/:\d*$/, "");
  const authority = tlsPort === 443 ? name : `${name}:${tlsPort}`;
  const isSafe = method === "GET" || method === "HEAD";
  return { status: isSafe ? 301 : 308, location: `https://${authority}${target === "*" ? "/" : target}` };
}
