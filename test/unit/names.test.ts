// One meaning for each name, read from the source itself; docs/style.md says why.

import { globSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

type Declaration = { readonly name: string; readonly file: string; readonly isExported: boolean };

type Constant = { readonly name: string; readonly file: string; readonly value: string };

type Source = { readonly file: string; readonly text: string };

const sources = filesOf("src/**/*.{ts,tsx}", "workers/**/*.ts");

const prose = [
  ...sources,
  ...filesOf(
    "src/**/*.css",
    "docs/**/*.md",
    "infra/**/*.{md,toml,ts,yml,capnp,service}",
    "infra/**/Dockerfile",
    "*.md",
    "*.toml",
  ),
].filter(({ file }) => file !== "docs/style.md");

test("[U65] an exported type, interface or class is declared in one file", () => {
  expect(sharedNames(sources.flatMap(declarationsIn))).toEqual([]);
});

test("[U66] no type has the name of a global of TypeScript's libraries", () => {
  expect(shadowing(sources.flatMap(declarationsIn), libraryGlobals())).toEqual([]);
});

test("[U67] a constant with a literal value has one value in the whole repository", () => {
  expect(severalValues(sources.flatMap(constantsIn))).toEqual([]);
});

test("[U68] the glossary defines each term once", () => {
  expect(repeated(glossaryTerms(readText("docs/glossary.md")))).toEqual([]);
});

test("[U69] comments, messages and documents avoid the turns that docs/style.md lists", () => {
  expect(turnsIn(prose, bannedTurns(readText("docs/style.md")))).toEqual([]);
});

test("[U65] a second declaration is found, whether it is exported or not", () => {
  const files = [
    { file: "src/a.ts", text: "export type Attempt = {\n  readonly id: string;\n};\n" },
    { file: "src/b.ts", text: "export abstract class Other {}\ninterface Attempt {}\n" },
    { file: "src/c.ts", text: "type Flags = {};\n" },
    { file: "src/d.ts", text: "type Flags = {};\nfunction f() {\n  type Other = string;\n}\n" },
  ];
  expect(sharedNames(files.flatMap(declarationsIn))).toEqual(["Attempt: src/a.ts, src/b.ts"]);
});

test("[U66] a shadowed library type is found, from es and from dom", () => {
  const text = "type Pick = 1;\nclass History {}\nexport type Service = 2;\ninterface Promise<T> {}\n";
  expect(shadowing(declarationsIn({ file: "src/a.ts", text }), libraryGlobals())).toEqual([
    "Pick: src/a.ts",
    "History: src/a.ts",
    "Promise: src/a.ts",
  ]);
});

test("[U67] a second value is found, however the literals are written", () => {
  const files = [
    {
      file: "src/a.ts",
      text: "export const pollMs = 5;\nconst retryMs = 10 * 1_000;\nconst key: string = 'a';\n",
    },
    { file: "src/b.ts", text: 'const pollMs: number = 250;\nconst retryMs = 10 * 1000;\nconst key = "b";\n' },
    { file: "src/c.ts", text: "const read = () => 1;\nconst sum = 1 + pollMs;\n  const local = 1;\n" },
    { file: "src/d.ts", text: "const read = () => 2;\nconst sum = 2 + pollMs;\n  const local = 2;\n" },
  ];
  expect(severalValues(files.flatMap(constantsIn))).toEqual([
    'key: "a" in src/a.ts, "b" in src/b.ts',
    "pollMs: 5 in src/a.ts, 250 in src/b.ts",
  ]);
});

test("[U68] a repeated term is found, also one of a row with two", () => {
  const text = "| **place** | a |\n| **rise, fall** | b |\n| **fall** | c |\n| **Place** | d |\n";
  expect(repeated(glossaryTerms(text))).toEqual(["fall", "place"]);
});

test("[U69] a listed turn is found at word boundaries, in any case", () => {
  const text = "// Nobody asks.\n// Anewton is a name.\nconst text = `what  is none of it`;\n";
  const turns = bannedTurns(
    "| avoid | write |\n|---|---|\n| `nobody`, `anew` | no client |\n| `is none` | none |\n",
  );
  expect(turns).toEqual(["nobody", "anew", "is none"]);
  expect(turnsIn([{ file: "src/a.ts", text }], turns)).toEqual([
    'src/a.ts:1: "Nobody"',
    'src/a.ts:3: "is none"',
  ]);
});

/** Top-level declarations of a file: biome's formatting puts them at the start of a line. */
function declarationsIn({ file, text }: Source): readonly Declaration[] {
  const found = text.matchAll(/^(export )?(?:declare )?(?:abstract )?(?:type|interface|class|enum) (\w+)/gm);
  return [...found].map(([, exported, name = ""]) => ({ name, file, isExported: exported !== undefined }));
}

function sharedNames(declarations: readonly Declaration[]): readonly string[] {
  const filesOfName = grouped(declarations);
  const exported = new Set(declarations.filter(({ isExported }) => isExported).map(({ name }) => name));
  return [...filesOfName]
    .filter(([name, all]) => exported.has(name) && distinct(all.map(({ file }) => file)).length > 1)
    .map(([name, all]) => `${name}: ${distinct(all.map(({ file }) => file)).join(", ")}`);
}

function shadowing(declarations: readonly Declaration[], globals: ReadonlySet<string>): readonly string[] {
  return declarations.filter(({ name }) => globals.has(name)).map(({ name, file }) => `${name}: ${file}`);
}

/** The names that TypeScript's es and dom libraries declare, which its package for this platform holds. */
function libraryGlobals(): ReadonlySet<string> {
  const fromTypescript = createRequire(createRequire(import.meta.url).resolve("typescript/package.json"));
  const platformPackage = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  const folder = join(dirname(fromTypescript.resolve(platformPackage)), "lib");
  const names = readdirSync(folder)
    .filter((name) => /^lib\.(es|dom).*\.d\.ts$/.test(name))
    .flatMap((name) => [
      ...readFileSync(join(folder, name), "utf8").matchAll(
        /^(?:declare )?(?:abstract )?(?:interface|type|class|var|let|const|function|namespace) (\w+)/gm,
      ),
    ]);
  return new Set(names.map(([, name = ""]) => name));
}

/** Top-level constants with a literal value: numbers with operators, strings, booleans, regexes. */
function constantsIn({ file, text }: Source): readonly Constant[] {
  const found = text.matchAll(/^(?:export )?const (\w+)(?:: [^=\n]+)? =\s+("[^"\n]*"|[^;]+);/gm);
  return [...found].flatMap(([, name = "", value = ""]) => {
    const literal = literalOf(value.trim());
    return literal === null ? [] : [{ name, file, value: literal }];
  });
}

/** The literal in one spelling; null if the value is anything else. */
function literalOf(value: string): string | null {
  if (/^[\d_.\s*+/()-]+$/.test(value)) return value.replaceAll("_", "").replaceAll(/\s+/g, " ");
  const quoted = /^(["'`])((?:(?!\1)[^\\\n]|\\.)*)\1$/.exec(value);
  if (quoted !== null && !value.includes("${")) return JSON.stringify(quoted[2]);
  if (/^(true|false|null)$/.test(value)) return value;
  return /^\/(?:[^/\\\n]|\\.)+\/[a-z]*$/.test(value) ? value : null;
}

function severalValues(constants: readonly Constant[]): readonly string[] {
  return [...grouped(constants)]
    .filter(([, all]) => distinct(all.map(({ value }) => value)).length > 1)
    .map(([name, all]) => `${name}: ${all.map(({ value, file }) => `${value} in ${file}`).join(", ")}`)
    .toSorted();
}

function glossaryTerms(text: string): readonly string[] {
  return [...text.matchAll(/^\| \*\*([^*]+)\*\* \|/gm)].flatMap(([, terms = ""]) =>
    terms.split(", ").map((term) => term.toLowerCase()),
  );
}

/** The turns in the first column of the style guide's table: rows that begin with text in backticks. */
function bannedTurns(styleGuide: string): readonly string[] {
  const cells = [...styleGuide.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, turn = ""]) => turn));
}

function turnsIn(files: readonly Source[], turns: readonly string[]): readonly string[] {
  expect(turns).not.toEqual([]);
  const pattern = new RegExp(
    `\\b(?:${turns.map((turn) => turn.replaceAll(" ", "\\s+")).join("|")})\\b`,
    "gi",
  );
  return files.flatMap(({ file, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        [...line.matchAll(pattern)].map(([turn]) => `${file}:${index + 1}: "${turn}"`),
      ),
  );
}

function grouped<T extends { readonly name: string }>(
  items: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(item.name, [...(groups.get(item.name) ?? []), item]);
  return groups;
}

function repeated(names: readonly string[]): readonly string[] {
  return distinct(names.filter((name, index) => names.indexOf(name) !== index)).toSorted();
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function filesOf(...patterns: readonly string[]): readonly Source[] {
  return globSync([...patterns], { cwd: root, exclude: ["src/dashboard/built/**"] })
    .toSorted()
    .map((file) => ({ file, text: readText(file) }));
}

function readText(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
