// The notices of the packages whose code is in a bundle.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../src/package/program-files.ts";

type Manifest = { readonly name: string; readonly version: string; readonly license?: string };

/** The folders of the packages that files are in. @param inputs paths in the project */
export function packagesOf(inputs: readonly string[]): readonly string[] {
  return [...new Set(inputs.flatMap((path) => packageOf(path) ?? []))].sort();
}

/** Name, version and license of each package, with its license's text. */
export function noticesOf(folders: readonly string[]): string {
  return folders.map(noticeOf).join(`\n${"-".repeat(80)}\n\n`);
}

/** `node_modules/a/node_modules/@b/c` of a file in it; null for a file of the project. */
function packageOf(path: string): string | null {
  const modules = "node_modules/";
  const begin = path.lastIndexOf(modules);
  if (begin === -1) return null;
  const name = path.slice(begin + modules.length).split("/");
  return path.slice(0, begin + modules.length) + name.slice(0, name[0]?.startsWith("@") ? 2 : 1).join("/");
}

function noticeOf(folder: string): string {
  const path = join(packageFolder, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
  const texts = readdirSync(path)
    .filter((file) => /^(licen[cs]e|notice)/i.test(file))
    .map((file) => `\n${readFileSync(join(path, file), "utf8").trim()}\n`);
  return `${name} ${version}, ${license ?? "license of its text"}\n${texts.join("")}`;
}
