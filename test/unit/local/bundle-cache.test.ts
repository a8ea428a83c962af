// When a start builds the Worker's bundle, and when it takes the one of an earlier start.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundleOfCache } from "../../../src/local/bundle-cache.ts";

let root: string;
let builds: number;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "waggle-bundle-"));
  builds = 0;
  write("src/local/bundle.ts", "one");
  write("workers/main.ts", "main");
  write("wrangler.toml", 'compatibility_date = "2026-11-01"');
  write("node_modules/.package-lock.json", "{}");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** @param onBuild called while the bundle is built */
async function bundle(onBuild = () => {}): Promise<string> {
  const build = async () => {
    builds += 1;
    onBuild();
    return { source: `build ${builds}`, inputs: [], compatibilityDate: "2026-11-01" };
  };
  return (await bundleOfCache({ root, file: join(root, "cache/worker.json"), build })).source;
}

test("the same sources are bundled once", async () => {
  expect([await bundle(), await bundle()]).toEqual(["build 1", "build 1"]);
});

test.for([
  ["a changed source", "src/local/bundle.ts", "two"],
  ["a new source", "src/local/new.ts", ""],
  ["another compatibility date", "wrangler.toml", 'compatibility_date = "2026-11-02"'],
  ["another TypeScript setting", "tsconfig.json", "{}"],
  ["another dependency", "node_modules/.package-lock.json", '{ "packages": {} }'],
])("%s is bundled again", async ([, path = "", text = ""]) => {
  await bundle();
  write(path, text);
  expect([await bundle(), await bundle()]).toEqual(["build 2", "build 2"]);
});

test("what a build itself writes does not count as a change", async () => {
  await bundle(() => write("src/dashboard/built/assets.js", "assets"));
  expect(await bundle()).toBe("build 1");
});

test("a bundle whose sources changed while it was built is not kept", async () => {
  await bundle(() => write("src/local/bundle.ts", "two"));
  write("src/local/bundle.ts", "one");
  expect(await bundle()).toBe("build 2");
});

test("without npm's list of what it installed, each start builds", async () => {
  rmSync(join(root, "node_modules/.package-lock.json"));
  expect([await bundle(), await bundle()]).toEqual(["build 1", "build 2"]);
});

test.for([
  ["a folder that cannot be written", "cache", ""],
  ["a file that is cut off", "cache/worker.json", '{"key":'],
])("%s does not prevent a start", async ([, path = "", text = ""]) => {
  write(path, text);
  expect(await bundle()).toBe("build 1");
});
