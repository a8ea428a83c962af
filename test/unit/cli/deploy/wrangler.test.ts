import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { runWrangler } from "../../../../src/cli/deploy/run-wrangler.ts";
import type { DeploySettings } from "../../../../src/cli/deploy/settings.ts";
import { withBuiltWorkers } from "../../../../src/cli/deploy/wrangler.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const settings: DeploySettings = {
  form: "split",
  account: "0".repeat(32),
  name: "prod",
  zone: "example.com",
  domain: "example.com",
  controlHost: "prod.example.com",
  location: "weur",
  plan: "free",
};

test("[U615] a build that fails ends after those of the other Workers, and leaves no files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-build-test-"));
  const [builds, ended] = ["builds", "ended"].map((name) => mkdtempSync(join(folder, name)));
  if (builds === undefined || ended === undefined) throw new Error("two folders");
  vi.stubEnv("TMPDIR", builds);
  // In place of wrangler: the build of the objects fails at once, and the others write after it has failed.
  const program = join(folder, "build.cjs");
  writeFileSync(
    program,
    `const { mkdirSync, readdirSync, writeFileSync } = require("node:fs");
const outdir = process.argv.at(-1);
const name = outdir.split("/").at(-1);
process.on("exit", () => writeFileSync(${JSON.stringify(`${ended}/`)} + name, ""));
if (name === "objects") process.exit(1);
while (!readdirSync(${JSON.stringify(ended)}).includes("objects"));
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
mkdirSync(outdir, { recursive: true });
process.exit(0);
`,
  );
  const env = { PATH: process.env.PATH, NODE_OPTIONS: `--require ${program}` };
  const onInterrupt = () => new AbortController().signal;
  const built = withBuiltWorkers({ env, onInterrupt }, settings, async () => {});
  await expect(built).rejects.toThrow("wrangler deploy ended with 1");
  expect(readdirSync(ended).sort()).toEqual(["control", "edge", "ingress", "objects"]);
  expect(readdirSync(builds)).toEqual([]);
});

test("[U615] wrangler is ended also if the command was interrupted before it began", async () => {
  const { code } = await runWrangler(["--version"], process.env, { cwd: ".", stop: AbortSignal.abort() });
  expect(code).toBeNull();
});
