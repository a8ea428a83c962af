// What src/local/dashboard-assets.ts makes of src/dashboard/client/: a module beside this file, built before every
// bundle of the Worker and kept out of git.

import type { StaticAssets } from "../assets.ts";

declare const assets: StaticAssets;
export default assets;
