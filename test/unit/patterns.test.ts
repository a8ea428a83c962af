// Every regular expression in the code matches in linear time, read from the sources by a parser.

import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { check } from "recheck";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

type Pattern = { readonly at: string; readonly source: string; readonly flags: string };

/** The regular expression literals of a source, and the places where it compiles text. */
function patternsIn(
  file: string,
  text: string,
): { literals: readonly Pattern[]; compiled: readonly string[] } {
  const literals: Pattern[] = [];
  const compiled: string[] = [];
  const at = ({ start }: { readonly start: number }) => `${file}:${text.slice(0, start).split("\n").length}`;
  const addCompiled = (node: { readonly start: number; readonly callee: { readonly type: string } }) => {
    if ("name" in node.callee && node.callee.name === "RegExp") compiled.push(at(node));
  };
  const { program, errors } = parseSync(file, text);
  expect(errors.map(({ message }) => `${file}: ${message}`)).toEqual([]);
  new Visitor({
    Literal(node) {
      if ("regex" in node)
        literals.push({ at: at(node), source: node.regex.pattern, flags: node.regex.flags });
    },
    NewExpression: addCompiled,
    CallExpression: addCompiled,
  }).visit(program);
  return { literals, compiled };
}

/** The patterns that do not match in linear time, each with its place and an attack. */
async function superLinear(patterns: readonly Pattern[]): Promise<readonly string[]> {
  const found: string[] = [];
  // Each pattern is judged once: a fifth of them occur several times.
  const places = Map.groupBy(patterns, ({ source, flags }) => `/${source}/${flags}`);
  for (const same of places.values()) {
    const { source, flags } = same[0] as Pattern;
    // The seed is of the checker's fuzzer, which judges patterns that are too large for its automaton.
    const result = await check(source, flags, { randomSeed: 1, timeout: 60_000 });
    if (result.status === "safe") continue;
    const why =
      result.status === "vulnerable"
        ? `${result.complexity.summary}, such as for ${result.attack.pattern}`
        : result.error.kind;
    found.push(`${same.map(({ at }) => at).join(", ")}: /${source}/${flags} is ${why}`);
  }
  return found;
}

const sources = globSync(["{src,workers,infra,bin}/**/*.{ts,tsx,js,mjs}", ".ci/*.mjs"], {
  cwd: root,
  exclude: ["src/dashboard/built/**", "**/*.d.ts"],
}).map((file) => patternsIn(file, readFileSync(`${root}${file}`, "utf8")));

test("[U121] every regular expression in the code matches in linear time", async () => {
  const literals = sources.flatMap((source) => source.literals);
  expect(literals.length).toBeGreaterThan(100);
  expect(await superLinear(literals)).toEqual([]);
}, 120_000);

test("[U122] no text is compiled to a regular expression of the runtime", () => {
  expect(sources.flatMap(({ compiled }) => compiled)).toEqual([]);
});

test("[U121] [U122] a pattern that backtracks is found with its place, and so is compiled text", async () => {
  const text =
    "const a = 'x';\nexport const b = /^(a+)+$/.test(a);\nnew RegExp(a);\nconst c = <p>{RegExp(a)}</p>;\n";
  const { literals, compiled } = patternsIn("src/a.tsx", text);
  expect(await superLinear(literals)).toEqual([
    expect.stringMatching(/^src\/a\.tsx:2: \/\^\(a\+\)\+\$\/ is exponential/),
  ]);
  expect(compiled).toEqual(["src/a.tsx:3", "src/a.tsx:4"]);
  const quadratic = patternsIn(
    "src/b.ts",
    "export const trim = (text: string) => text.replace(/[ ]+$/, '');\n",
  );
  expect(await superLinear(quadratic.literals)).toEqual([
    expect.stringContaining("src/b.ts:1: /[ ]+$/ is 2nd degree"),
  ]);
}, 30_000);
