// The headers between a Worker and the network port of a mesh under the platform's rules.

/** The URL that the Worker dials. */
export const originHeader = "x-platform-origin";
/** Proves that the request is a Worker's of this mesh. */
export const secretHeader = "x-platform-secret";
/** Set if the request is never answered from Cloudflare's cache. */
export const uncachedHeader = "x-platform-uncached";
