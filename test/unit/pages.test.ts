// What README.md and docs/ say that a machine can check: each command is run or says why not, flags exist, numbers
// are those of the code, and each page is in the list of pages.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { isExpectedOutput, parsePage, readPages } from "../support/pages.ts";
import { everyCommand } from "./cli/support.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = readPages();

describe("[U520] commands of documents", () => {
  test("[U520] each block of commands is run by a test, or says why it is not", () => {
    const problems = pages.flatMap(({ path, place, blocks, problems: ofComments }) => [
      ...ofComments.map((problem) => `${path}: ${problem}`),
      ...blocks
        .filter(({ notRun, runBy }) => place === null && notRun === null && runBy === null)
        .map(
          ({ line }) =>
            `${path}:${line}: no comment says where these commands run; see "A page" in CONTRIBUTING.md`,
        ),
    ]);
    expect(problems).toEqual([]);
  });

  test("[U520] a test that a page names has its commands, or reads the page", () => {
    const missing = pages.flatMap(({ path, blocks }) =>
      blocks.flatMap(({ line, runBy, commands }) => {
        if (runBy === null) return [];
        const text = runBy.split(" ").map(read).join("\n");
        if (text.includes(`/${path}", import.meta.url`)) return [];
        const parts = commands.flatMap((command) => command.text.replace(/ +#.*/, "").split(" && "));
        return parts.filter((part) => !text.includes(part)).map((part) => `${path}:${line}: ${part}`);
      }),
    );
    expect(missing).toEqual([]);
  });

  test("[U520] the list of commands that no test runs is complete", async () => {
    const lines = pages.flatMap(({ path, blocks }) =>
      blocks.flatMap(({ notRun, commands }) =>
        notRun === null ? [] : commands.map(({ text }) => `${path}: ${text}\n    ${notRun}`),
      ),
    );
    await expect(`${lines.length} commands are not run\n\n${lines.join("\n")}\n`).toMatchFileSnapshot(
      "../golden/commands-not-run.txt",
    );
  });

  test.each([
    ["a block that nothing is said about", "```sh\nls\n```", [], 1],
    ["a block with a reason", "<!-- not run: no network -->\n```sh\nls\n```", [], 1],
    ["a page with a reason", "<!-- commands not run: no network -->\n\n```sh\nls\n```", [], 1],
    ["a comment that is misspelled", "<!-- not runn: no network -->\n```sh\nls\n```", ["line 1: unknown"], 1],
    [
      "a block of commands without a language",
      "```\ncurl localhost\n```",
      ["line 1: a block of commands"],
      0,
    ],
    ["a continued line", "```sh\nls \\\n  -l\npwd\n```", [], 2],
  ])("[U520] %s", (_, text, problems, count) => {
    const page = parsePage("page.md", text);
    expect(page.problems).toEqual(problems.map((problem) => expect.stringContaining(problem)));
    expect(page.blocks.flatMap(({ commands }) => commands)).toHaveLength(count);
  });

  test("[U520] a test runs a block of a page whose other commands are not run", () => {
    const page =
      "<!-- commands not run: no network -->\n\n<!-- run by: a.test.ts -->\n```sh\nls\n```\n\n```sh\nls\n```";
    const reasons = parsePage("page.md", page).blocks.map(({ notRun, runBy }) => [notRun, runBy]);
    expect(reasons).toEqual([
      [null, "a.test.ts"],
      ["no network", null],
    ]);
  });

  test("[U520] a transcript has commands and what they print", () => {
    const [block] = parsePage("page.md", "```console\n$ echo a\na\n$ true\n```").blocks;
    expect(block?.commands.map(({ text, expected }) => [text, expected])).toEqual([
      ["echo a", "a"],
      ["true", null],
    ]);
  });
});

describe("[U521] what a page shows", () => {
  test.each([
    ["ID   NAME\nx1hzk8s5n3qa   web", "ID             NAME\n0wd8jtg9m2y5   web"],
    ["Running 2 seconds ago", "Running Less than a second ago"],
    ["in 3 ms", "in 0.4 ms"],
    ["task on … is up", "task on node3 is up"],
    ["first\n…\nlast", "first\nsecond\nthird\nlast"],
    ["first\n…", "first"],
  ])("[U521] %j is what %j printed", (expected, actual) => {
    expect(isExpectedOutput(expected, `${actual}\n`)).toBe(true);
  });

  test.each([
    ["2/2", "1/2"],
    ["node1   Ready", "node1   Down"],
    ["first\nlast", "first\nsecond\nlast"],
    ["task on … is up", "task on node3 is down"],
    ["first", "first\nsecond"],
  ])("[U521] %j is not what %j printed", (expected, actual) => {
    expect(isExpectedOutput(expected, `${actual}\n`)).toBe(false);
  });
});

test("[U506] the page about your own machines runs ACME clients at a port that only root opens", () => {
  const text = read("docs/self-host.md");
  const section = text.slice(text.indexOf("## Certificates by ACME"), text.indexOf("## Upgrade"));
  const ports = [...section.matchAll(/(?:10\.0\.0\.1:|--http-01-port )(\d+)/g)].map(([, port]) =>
    Number(port),
  );
  expect(new Set(ports).size).toBe(1);
  expect(ports).toHaveLength(4);
  expect(ports[0]).toBeLessThan(1024);
  expect(text).toContain(`| control | ${ports[0]}/tcp, if ACME runs there |`);
});

/** A number with the file and the constant that it is: `64 KiB <!-- src/a.ts maxBytes -->`. */
const numberOfConstant =
  /([\d,.]+)(?: (KiB|MiB|ms|s|min|h|days))?(?:[^|\d<]*)<!-- ([\w./-]+\.(?:ts|json)) ([\w.]+) -->/g;

test("[U522] the numbers of docs/limits.md are the constants that it names", () => {
  const numbers = [...read("docs/limits.md").matchAll(numberOfConstant)];
  const wrong = numbers.flatMap(([, digits = "", unit = "", file = "", name = ""]) => {
    const said = Number(digits.replaceAll(",", "")) * unitSizes(unit);
    const value = constantOf(file, name);
    return said === value ? [] : [`${digits} ${unit}: ${name} in ${file} is ${value}`];
  });
  expect(wrong).toEqual([]);
  expect(numbers).toHaveLength([...read("docs/limits.md").matchAll(/<!-- /g)].length);
  expect(numbers.length).toBeGreaterThan(40);
});

function unitSizes(unit: string): number {
  const sizes: Readonly<Record<string, number>> = {
    "": 1,
    KiB: 1024,
    MiB: 1024 ** 2,
    ms: 1,
    s: 1_000,
    h: 3_600_000,
    days: 86_400_000,
  };
  return sizes[unit] ?? Number.NaN;
}

/** The value of a constant, or of a member of one, that is a number or a product of numbers and constants. */
function constantOf(file: string, path: string): number {
  const text = read(file);
  const [name = "", ...members] = path.split(".");
  if (file.endsWith(".json")) {
    return path
      .split(".")
      .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], JSON.parse(text)) as number;
  }
  const declared = new RegExp(`const ${name}\\b[^=]*= ([^;]*);`).exec(text)?.[1] ?? "";
  const [member] = members;
  const expression =
    member === undefined ? declared : (new RegExp(`\\b${member}: ([^,}]*)`).exec(declared)?.[1] ?? "");
  const factors = expression
    .trim()
    .split(/ \* (?!\*)/)
    .map((factor) => {
      if (/^[\d_]+$/.test(factor)) return Number(factor.replaceAll("_", ""));
      const [, base, exponent] = /^([\d_]+) \*\* (\d+)$/.exec(factor) ?? [];
      if (base !== undefined) return Number(base.replaceAll("_", "")) ** Number(exponent);
      return /^\w+$/.test(factor) ? constantOf(importedFile(file, text, factor), factor) : Number.NaN;
    });
  return factors.reduce((product, factor) => product * factor, 1);
}

/** The file from which another one imports a name, or that file itself. */
function importedFile(file: string, text: string, name: string): string {
  const [, from] = new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from "([^"]+)"`).exec(text) ?? [];
  return from === undefined ? file : join(file, "..", from);
}

test("[U523] each command of waggle in the text of a page exists, with its flags", () => {
  const verbs = everyCommand().map(({ path, command }) => ({
    path: path.join(" "),
    flags: new Set([
      "--help",
      ...command.options.flatMap(({ long, short }) => [long, short]),
      ...(command.parent?.options ?? []).flatMap(({ long, short }) => [long, short]),
    ]),
  }));
  const wrong = pages.flatMap(({ path }) =>
    [...read(path).matchAll(/`(?:bin\/|npx )?waggle ([a-z][^`\n]*)`/g)].flatMap(([said = "", words = ""]) => {
      const names = words.split(" ").filter((word) => /^[a-z][a-z-]*$/.test(word));
      const verb = verbs
        .filter(({ path: verbPath }) => `${names.join(" ")} `.startsWith(`${verbPath} `))
        .toSorted((a, b) => b.path.length - a.path.length)[0];
      if (verb === undefined) return [`${path}: ${said}: no such verb`];
      const flags = words.match(/(?<= )--?[a-z][a-z-]*/g) ?? [];
      return flags.filter((flag) => !verb.flags.has(flag)).map((flag) => `${path}: ${said}: no flag ${flag}`);
    }),
  );
  expect(wrong).toEqual([]);
});

test("[U524] docs/README.md names each page", () => {
  const text = read("docs/README.md");
  const unnamed = pages
    .map(({ path }) => path.replace(/^docs\//, ""))
    .filter((name) => name !== "README.md" && name !== "SECURITY.md" && !text.includes(name));
  expect(unnamed).toEqual([]);
});

test("[U525] each link to a section of a page leads to a heading", () => {
  const headings = (path: string) =>
    [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) => anchorOf(text));
  const broken = pages.flatMap(({ path }) =>
    [...read(path).matchAll(/\]\((?!\w+:)([^)#\s]*\.md)?#([^)\s]+)\)/g)]
      .filter(([, file, anchor = ""]) => {
        const target = file === undefined ? path : join(path, "..", file);
        return !headings(target).includes(anchor);
      })
      .map(([link]) => `${path}: ${link}`),
  );
  expect(broken).toEqual([]);
});

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
