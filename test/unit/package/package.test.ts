// What the package asks npm for, and what its documents say.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import manifest from "../../../package.json" with { type: "json" };
import lock from "../../../package-lock.json" with { type: "json" };

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("[U482] the package asks for the workerd of its Miniflare, and for nothing else", () => {
  const { workerd } = lock.packages["node_modules/miniflare"].dependencies;
  expect(new Set(Object.values(manifest.optionalDependencies))).toEqual(new Set([workerd]));
  expect(manifest).not.toHaveProperty("dependencies");
});

test("[U483] a test runs each command of docs/install.md", () => {
  const blocks = readFileSync(join(root, "docs/install.md"), "utf8").matchAll(
    /^([^\n]*)\n```sh\n(.*?)^```/gms,
  );
  // A test that a block names reads its lines from the page.
  const quoted = [...blocks].filter(([, before = ""]) => !before.startsWith("<!-- run by: "));
  const commands = quoted.flatMap(([, , block = ""]) => block.trim().split("\n"));
  const tests = ["test/system", "test/e2e", "test/support"]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
    .filter((path) => path.endsWith(".ts"));
  const texts = [".ci/run", ...tests].map((path) => readFileSync(join(root, path), "utf8")).join("\n");
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((command) => !texts.includes(command))).toEqual([]);
});
