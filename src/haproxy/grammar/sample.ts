// Sample expressions, such as `req.hdr(host),lower`: a sample fetch with its arguments, then converters.

import { didYouMean, suggest } from "../../domain/model/suggest.ts";
import { aclCriterionText, converterText, sampleFetchText } from "./sample-words.ts";
import type { Reference, WordReading } from "./usage.ts";

/** The types of samples as far as their matching differs; `any` is not known here. */
export type SampleType = "addr" | "any" | "bin" | "bool" | "ipv4" | "ipv6" | "meth" | "sint" | "str";

type SampleWord = {
  readonly minArguments: number;
  readonly argumentTypes: readonly string[];
  readonly type: SampleType;
};

/** The type of an expression and the text after it, or why it cannot be read. */
export type SampleReading = { readonly type: SampleType; readonly rest: string } | { readonly why: string };

const fetches = wordsOf(sampleFetchText.replace(/\bsc0_\S+/g, trackedCounters));
const converters = wordsOf(converterText);
const criteria: ReadonlyMap<string, { readonly fetch: string; readonly method: string }> = new Map(
  aclCriterionText.split(/\s+/).flatMap((text) => {
    const [, name = "", fetch = "", method = ""] = /^([^=]+)=([^/]+)\/(.+)$/.exec(text) ?? [];
    return name === "" ? [] : [[name, { fetch, method }] as const];
  }),
);

/** Lua scripts define fetches and converters of their own; the import does not run them. */
const luaPrefix = "lua.";
const luaWord: SampleWord = { minArguments: 0, argumentTypes: Array(12).fill("string"), type: "any" };

function trackedCounters(text: string): string {
  return Array.from({ length: 10 }, (_, at) => text.replace("sc0_", `sc${at}_`)).join(" ");
}

function wordsOf(text: string): ReadonlyMap<string, SampleWord> {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return new Map(
    words.map((word) => {
      const [, name = "", argumentText = "", type = "any"] = /^([^(:]+)(?:\((.*)\))?:(\w+)$/.exec(word) ?? [];
      const bracket = argumentText.indexOf("[");
      const argumentTypes = argumentText.replace(/[[\]]/g, "").split(",").filter(Boolean);
      const mandatory = bracket < 0 ? argumentText : argumentText.slice(0, bracket);
      const minArguments = mandatory.split(",").filter(Boolean).length;
      return [name, { minArguments, argumentTypes, type: type as SampleType }];
    }),
  );
}

/** The match method of an ACL criterion such as `path_beg`; null for a sample fetch. */
export function criterionMethod(name: string): string | null {
  return criteria.get(name)?.method ?? null;
}

/**
 * Reads an expression at the beginning of a text.
 *
 * @param isCriterion true for the expression of an ACL, which may begin with a criterion such as `path_beg`
 */
export function readSample(text: string, isCriterion: boolean, reading: WordReading): SampleReading {
  const name = nameAt(text);
  if (name === "") return { why: "missing sample fetch" };
  const criterion = isCriterion ? criteria.get(name) : undefined;
  if (name.startsWith(luaPrefix)) reading.references.push({ kind: "lua", name });
  const fetch = name.startsWith(luaPrefix) ? luaWord : fetches.get(criterion?.fetch ?? name);
  if (fetch === undefined) {
    const known = isCriterion ? [...criteria.keys(), ...fetches.keys()] : fetches.keys();
    return { why: `unknown sample fetch "${name}"${didYouMean(suggest(name, known))}` };
  }
  const rest = readArguments(name, fetch, text.slice(name.length), reading);
  if (typeof rest !== "string") return rest;
  return readConverters(fetch.type, rest, reading);
}

function readConverters(type: SampleType, text: string, reading: WordReading): SampleReading {
  if (text === "" || !text.startsWith(",")) return { type, rest: text };
  const converterAndRest = text.replace(/^,+/, "");
  if (converterAndRest === "") return { type, rest: "" };
  const read = readConverter(converterAndRest, reading);
  return "why" in read ? read : readConverters(read.type, read.rest, reading);
}

function readConverter(text: string, reading: WordReading): SampleReading {
  const name = nameAt(text);
  if (name.startsWith(luaPrefix)) reading.references.push({ kind: "lua", name });
  const converter = name.startsWith(luaPrefix) ? luaWord : converters.get(name);
  if (converter === undefined) {
    return { why: `unknown converter "${name}"${didYouMean(suggest(name, converters.keys()))}` };
  }
  const rest = readArguments(name, converter, text.slice(name.length), reading);
  return typeof rest === "string" ? { type: converter.type, rest } : rest;
}

/** Reads an expression whose converters may be words of their own. @returns the position after it */
export function readSampleWords(
  words: readonly string[],
  at: number,
  reading: WordReading,
): { readonly type: SampleType; readonly end: number } | { readonly why: string } {
  const first = readSample(words[at] ?? "", false, reading);
  if ("why" in first) return first;
  let { type, rest } = first;
  let end = at + 1;
  while (rest === "") {
    const word = words[end]?.replace(/^,+/, "") ?? "";
    const name = nameAt(word);
    if (!converters.has(name) || (word === name && isRuleWord(name) && words[end] === word)) break;
    const next = readConverters(type, `,${word}`, reading);
    if ("why" in next) return next;
    ({ type, rest } = next);
    end += 1;
  }
  return rest === "" ? { type, end } : { why: `missing comma before "${rest}"` };
}

/** Words after an expression in rules that are the name of a converter too. */
function isRuleWord(name: string): boolean {
  return name === "table" || name === "len";
}

/** The characters of names of fetches and converters. */
function nameAt(text: string): string {
  return /^[\w.+-]*/.exec(text)?.[0] ?? "";
}

/** Reads `(ARGUMENT,…)` at the beginning of a text, if there is one. @returns the text after it */
function readArguments(
  name: string,
  word: SampleWord,
  text: string,
  reading: WordReading,
): string | { readonly why: string } {
  const { minArguments, argumentTypes } = word;
  const list = text.startsWith("(") ? splitArguments(text) : { items: [], rest: text };
  if (list === null) return { why: `${name}: a parenthesis is missing at the end of the arguments` };
  const items = list.items.length === 1 && list.items[0] === "" && minArguments === 0 ? [] : list.items;
  // HAProxy fills in the name of the section.
  const isImplicit = items.length === 0 && minArguments === 1 && implicitTypes.has(argumentTypes[0] ?? "");
  if (items.length < minArguments && !isImplicit) {
    return { why: `${name} has ${items.length} arguments, and needs ${minArguments}` };
  }
  if (items.length > argumentTypes.length) {
    return { why: `${name} has ${items.length} arguments, and takes ${argumentTypes.length} at most` };
  }
  const [implicitType = ""] = argumentTypes;
  if (isImplicit && implicitType !== "string") reading.references.push(...referencesOf(implicitType, ""));
  for (const [index, item] of items.entries()) {
    const type = argumentTypes[index] ?? "string";
    const why = misfitOf(type, item);
    if (why !== null) return { why: `${name}: ${why}` };
    if (item !== "") reading.references.push(...referencesOf(type, item));
  }
  return list.rest;
}

const implicitTypes: ReadonlySet<string> = new Set(["backend", "frontend", "table", "string"]);

/** Splits arguments as HAProxy does: at commas outside of quotes, up to the first closing parenthesis. */
function splitArguments(text: string): { readonly items: readonly string[]; readonly rest: string } | null {
  const items: string[] = [];
  let item = "";
  let quote = "";
  for (let at = 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (character === "\\" && quote !== "'") {
      at += 1;
      item += text.charAt(at);
    } else if (quote === "" && character === ")")
      return { items: [...items, item], rest: text.slice(at + 1) };
    else if (quote === "" && character === ",") {
      items.push(item);
      item = "";
    } else item += character;
  }
  return null;
}

function misfitOf(type: string, item: string): string | null {
  if (type === "integer" && !/^[+-]?\d+$/.test(item)) return `"${item}" is not a whole number`;
  if (type === "pbf" && !/^\d+(\.\d+)*$/.test(item)) return `"${item}" is not a field number`;
  if (type === "mask4" && !/^(\d{1,2}|\d+\.\d+\.\d+\.\d+)$/.test(item)) return `"${item}" is not a mask`;
  return null;
}

function referencesOf(type: string, name: string): readonly Reference[] {
  const isName = type === "backend" || type === "frontend" || type === "table" || type === "userlist";
  return isName ? [{ kind: type, name }] : [];
}
