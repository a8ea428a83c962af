// The type of assets.js, which src/local/dashboard-assets.ts builds from src/dashboard/client/ before every
// bundle of the Worker. Git ignores that file.

import type { StaticAssets } from "../assets.ts";

declare const assets: StaticAssets;
export default assets;
