// Whether a URL may be shown the mesh's token.

import type { RouteExplanation } from "../../protocol/route.ts";

/**
 * True where the URL is the mesh's own as far as the mesh says: a node's, a host name of a service, or where the control
 * API is; and no less protected than the control URL.
 *
 * @param explanation null: the mesh could not be asked
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
