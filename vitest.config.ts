import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { buildDashboardAssets } from "./src/local/dashboard-assets.ts";
import { edgeSuites } from "./test/support/edge-suites.ts";
import { LongestFirst } from "./test/support/longest-first.ts";

// wrangler.toml requires this secret; its value does not matter here.
process.env.OPERATOR_TOKEN = "test-operator-token";

// `waggle up` registers a context: that of the user who runs the tests stays as it is.
process.env.XDG_CONFIG_HOME = join(tmpdir(), `waggle-test-config-${process.getuid?.() ?? ""}`);

// The Worker imports these files. Vitest does not run the build command of wrangler.toml that makes them.
await buildDashboardAssets();

/** The JSX settings of tsconfig.base.json, which Vite does not read for the dashboard's folder. */
const oxc = { jsx: { runtime: "automatic", importSource: "hono/jsx" } } as const;

const wholeMeshes = {
  environment: "node",
  // Each file starts real processes and mostly waits for them: three files keep two cores busy. More at a time
  // would disturb each other's timing.
  maxWorkers: 3,
  sequence: { groupOrder: 2 },
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/skipped.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        oxc,
        test: {
          name: "node",
          environment: "node",
          include: ["test/unit/**/*.test.ts", "test/property/**/*.test.ts"],
          // Pure code keeps no state: loading it once for all files halves the time.
          isolate: false,
          // It computes only: a file for each of two cores. Vitest's default leaves a core free, here half of them.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          // On a busy machine a few that start processes need more than Vitest's five seconds.
          testTimeout: 20_000,
        },
      },
      {
        oxc,
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: { MESH_MODE: "local", ENTRY_KEY: "test-entry-key", NODE_ADDRESSES: "127.0.0.0/8" },
            },
          }),
        ],
        // The global set-up runs in Node; the Workers conditions would resolve this to the build for browsers.
        resolve: { alias: { ws: fileURLToPath(import.meta.resolve("ws")) } },
        test: {
          name: "workers",
          include: ["test/workers/**/*.test.ts"],
          globalSetup: ["test/support/gateway-for-workers.ts"],
          sequence: { groupOrder: 1 },
          testTimeout: 20_000,
        },
      },
      { oxc, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...wholeMeshes } },
      {
        oxc,
        test: {
          name: "edge",
          include: ["test/e2e/**/*.test.ts"],
          exclude: Object.entries(edgeSuites).flatMap(([name, reason]) =>
            reason === null ? [] : `test/e2e/${name}.test.ts`,
          ),
          env: {
            WAGGLE_EDGE_FLAGS: "--edge --rtt 50 --isolates 4 --evict-every 10s --reset-every 30s --seed 1",
          },
          ...wholeMeshes,
        },
      },
      { oxc, test: { name: "recovery", include: ["test/recovery/**/*.test.ts"], ...wholeMeshes } },
      { oxc, test: { name: "system", include: ["test/system/**/*.test.ts"], ...wholeMeshes } },
    ],
  },
});
