// Decides whether a request to a URL may carry the mesh's token.

import type { RouteExplanation } from "../../protocol/route.ts";

/**
 * True if the URL belongs to the mesh (a node, a host name of a service, or the host of the control API) and
 * is no less protected than the control URL.
 *
 * @param explanation what the mesh knows about the URL; null if the registry is unreachable
 */
export function canSendToken(url: URL, controlUrl: string, explanation: RouteExplanation | null): boolean {
  const control = new URL(controlUrl);
  if (isLoopback(url) && isLoopback(control)) return true;
  if (url.protocol !== "https:" && control.protocol === "https:") return false;
  if (url.hostname === control.hostname) return true;
  if (explanation === null) return false;
  return (
    explanation.entry.role === "ingress" || explanation.match.by === "host" || explanation.match.by === "name"
  );
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
