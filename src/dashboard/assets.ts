// The dashboard's static files: scripts and the style sheet, each with a content hash in its name.

import type { Context } from "hono";

export type StaticAsset = {
  /** `live-3f2a9c01.js`. */
  readonly name: string;
  readonly type: "text/javascript; charset=utf-8" | "text/css; charset=utf-8";
  readonly text: string;
};

export type StaticAssets = {
  /** On every page. */
  readonly live: StaticAsset;
  /** On pages with charts only, because it contains the chart library. */
  readonly charts: StaticAsset;
  readonly style: StaticAsset;
};

/** One year, by convention the longest (RFC 9111 sets no limit). A changed file has another name. */
const immutableCacheControl = "public, max-age=31536000, immutable";

/** Null if there is no file of this name. */
export function serveAsset(c: Context, assets: StaticAssets, name: string): Response | null {
  const asset = Object.values(assets).find((file) => file.name === name);
  if (asset === undefined) return null;
  return c.body(asset.text, 200, { "content-type": asset.type, "cache-control": immutableCacheControl });
}

export function assetPath(asset: StaticAsset): string {
  return `/dashboard/assets/${asset.name}`;
}
