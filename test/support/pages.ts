// Documents as programs: the commands of their code blocks, what these print, and where they run. Comments in the
// source of a page say what a reader need not see; CONTRIBUTING.md lists them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Where the commands of a page run: see page-places.ts. */
const placeNames = ["a clone", "a mesh", "a mesh with Docker", "a Docker Engine"] as const;
export type PlaceName = (typeof placeNames)[number];

export type PageCommand = {
  /** One command of a shell; may have several lines. */
  readonly text: string;
  /** What it prints, as in the page; null if the page does not show it. */
  readonly expected: string | null;
  /** It stays running, and is ready when it has printed this text; null: it ends. */
  readonly readyText: string | null;
  /** It is run again until its exit code and what it prints are as expected. */
  readonly isRepeated: boolean;
  /** Its exit code. */
  readonly exitCode: number;
};

type PageBlock = {
  /** The line of the block's fence, from 1. */
  readonly line: number;
  readonly commands: readonly PageCommand[];
  /** Why no test runs it; null if one does. */
  readonly notRun: string | null;
  /** The test that runs it instead of that of the pages; null if it is that one. */
  readonly runBy: string | null;
};

export type Page = {
  readonly path: string;
  /** Null if no command of it is run here. */
  readonly place: PlaceName | null;
  readonly blocks: readonly PageBlock[];
  /** What is wrong with its comments: `line 5: …`. */
  readonly problems: readonly string[];
};

/** The documents of the repository, without the records of decisions. */
export function readPages(): readonly Page[] {
  const documents = readdirSync(join(root, "docs")).map((name) => `docs/${name}`);
  return ["README.md", "CONTRIBUTING.md", "SECURITY.md", "infra/lab/README.md", ...documents]
    .filter((path) => path.endsWith(".md"))
    .map((path) => parsePage(path, readFileSync(join(root, path), "utf8")));
}

const markNames = [
  "commands run in",
  "commands run by",
  "commands not run",
  "not run",
  "run by",
  "first",
  "stays running, and prints",
  "run again until it works",
  "exits with",
] as const;
type MarkName = (typeof markNames)[number];

/** Reads the blocks of commands (`sh`, `console`) of a page, and the comments about them. */
export function parsePage(path: string, text: string): Page {
  const lines = text.split("\n");
  const blocks: PageBlock[] = [];
  const problems: string[] = [];
  const ofPage = new Map<MarkName, string>();
  let marks = new Map<MarkName, string>();
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const comment = /^\s*<!-- (.+) -->$/.exec(line)?.[1];
    if (comment !== undefined) {
      const [name, value] = readMark(comment);
      if (name === null) {
        if (/^\s*(?:```|<!-- )/.test(lines[at + 1] ?? ""))
          problems.push(`line ${at + 1}: unknown comment "${comment}"`);
      } else if (name.startsWith("commands ")) ofPage.set(name, value);
      else if (name === "first") {
        blocks.push({ line: at + 1, commands: [command(value, null, marks)], notRun: null, runBy: null });
        marks = new Map();
      } else marks.set(name, value);
      continue;
    }
    const fence = /^(\s*)```(\w*)$/.exec(line);
    if (fence === null) {
      if (line.trim() !== "") marks = new Map();
      continue;
    }
    const [, indent = "", language = ""] = fence;
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    const content = lines.slice(at + 1, end).map((text) => text.slice(indent.length));
    if (language === "sh" || language === "console") {
      const commands = language === "sh" ? commandsOf(content, marks) : transcriptOf(content, marks);
      const runBy = marks.get("run by") ?? ofPage.get("commands run by") ?? null;
      const ofBlock = marks.has("run by") ? null : ofPage.get("commands not run");
      blocks.push({
        line: at + 1,
        commands,
        notRun: marks.get("not run") ?? ofBlock ?? null,
        runBy,
      });
    } else {
      if (marks.size > 0) problems.push(`line ${at + 1}: a comment about commands at a block without any`);
      if (
        language === "" &&
        content.some((text) => /^(?:\$ |(?:bin\/)?waggle |docker |curl |npm |npx )/.test(text))
      )
        problems.push(`line ${at + 1}: a block of commands without the language sh or console`);
    }
    marks = new Map();
    at = end;
  }
  const place = ofPage.get("commands run in") ?? null;
  if (place !== null && !isPlaceName(place)) problems.push(`unknown place "${place}"`);
  return { path, place: place !== null && isPlaceName(place) ? place : null, blocks, problems };
}

function isPlaceName(text: string): text is PlaceName {
  return placeNames.some((name) => name === text);
}

function readMark(comment: string): readonly [MarkName | null, string] {
  const name = markNames.find((mark) => comment === mark || comment.startsWith(`${mark}: `)) ?? null;
  return [name, name === null ? "" : comment.slice(name.length + 2)];
}

function commandsOf(lines: readonly string[], marks: ReadonlyMap<MarkName, string>): readonly PageCommand[] {
  const joined = lines
    .join("\n")
    .replaceAll("\\\n", "\\\0")
    .split("\n")
    .map((line) => line.replaceAll("\0", "\n"));
  const texts = joined.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return texts.map((text) => command(text, null, marks));
}

/** In a transcript commands follow a prompt, and what they print follows them. */
function transcriptOf(
  lines: readonly string[],
  marks: ReadonlyMap<MarkName, string>,
): readonly PageCommand[] {
  const starts = lines.flatMap((line, at) => (line.startsWith("$ ") ? [at] : []));
  return starts.map((start, index) => {
    const output = lines.slice(start + 1, starts[index + 1] ?? lines.length).join("\n");
    return command((lines[start] ?? "").slice(2), output === "" ? null : output, marks);
  });
}

function command(text: string, expected: string | null, marks: ReadonlyMap<MarkName, string>): PageCommand {
  return {
    text,
    expected,
    readyText: marks.get("stays running, and prints") ?? null,
    isRepeated: marks.has("run again until it works"),
    exitCode: Number(marks.get("exits with") ?? 0),
  };
}

/** Ids, tokens and times: examples in the page. */
const examples: readonly (readonly [RegExp, string])[] = [
  [/SWMTKN-1-[0-9a-z]+-[0-9a-z]+/g, "<token>"],
  [/\b(?=[a-z]*\d)[0-9a-z]{25}\b/g, "<id>"],
  [/\b(?=[0-9]*[a-z])(?=[a-z]*\d)[0-9a-z]{12}\b/g, "<id>"],
  [/(?:Less than a second|About an? \w+|\d+ \w+) ago/g, "<time> ago"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>"],
  [/\b\d+(?:\.\d+)? (?:ms|s|bytes|KB|MB)\b/g, "<amount>"],
  [/\bversion \d+/g, "version <n>"],
  [/[ \t]+/g, " "],
];

function withoutExamples(text: string): string {
  return examples.reduce((masked, [pattern, name]) => masked.replace(pattern, name), text);
}

/**
 * True if a command printed what the page shows. Ids, times, amounts and the width of columns may differ; `…` in the
 * page stands for any text of a line, and a line of it alone for any lines.
 */
export function isExpectedOutput(expected: string, actual: string): boolean {
  const plain = (text: string) =>
    withoutExamples(text.trim())
      .split("\n")
      .map((line) => line.trim());
  const pattern = plain(expected)
    .map((line) => (line === "…" ? "(?:[^\\n]*\\n)*" : `${line.split("…").map(escaped).join("[^\\n]*")}\\n`))
    .join("");
  return new RegExp(`^${pattern}$`).test(`${plain(actual).join("\n")}\n`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
