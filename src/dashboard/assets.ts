// The dashboard's static files: scripts and the style sheet, each under a name that changes with its content.

import type { Context } from "hono";

/** One file as it is served. */
export type StaticAsset = {
  /** `live-3f2a9c01.js`. */
  readonly name: string;
  readonly type: "text/javascript; charset=utf-8" | "text/css; charset=utf-8";
  readonly text: string;
};

/** `live`: on every page. `charts`: where there are charts, as it carries the chart library. */
export type StaticAssets = {
  readonly live: StaticAsset;
  readonly charts: StaticAsset;
  readonly style: StaticAsset;
};

/** A year, the longest that caches keep to (RFC 9111 gives no bound); a changed file has another name. */
const immutableCacheControl = "public, max-age=31536000, immutable";

/** Answers with the file of this name; null when there is none. */
export function serveAsset(c: Context, assets: StaticAssets, name: string): Response | null {
  const asset = Object.values(assets).find((one) => one.name === name);
  if (asset === undefined) return null;
  return c.body(asset.text, 200, { "content-type": asset.type, "cache-control": immutableCacheControl });
}

/** Where the browser asks for it. */
export function assetPath(asset: StaticAsset): string {
  return `/dashboard/assets/${asset.name}`;
}
