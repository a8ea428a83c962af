// The functions of templates: those of Docker's CLI, and those that text/template has itself.

import { printable, printableJson } from "../../domain/model/printable.ts";
import { usageError } from "../errors.ts";
import { FloatLiteral } from "./tokens.ts";

/** A string of the mesh, which may have characters that a terminal acts on. */
class MeshText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A field that an object does not have. It is false in conditions, and an error where its value is needed. */
export class MissingField {
  readonly path: readonly string[];
  readonly known: readonly string[];

  constructor(path: readonly string[], known: readonly string[]) {
    this.path = path;
    this.known = known;
  }
}

/** A value of a template as it comes from the mesh. */
export type TemplateValue = unknown;

type TemplateFunction = (...values: readonly TemplateValue[]) => TemplateValue;

/** By name. An argument that cannot be used is a usage error. */
export const functions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["json", (value) => printableJson(JSON.stringify(rawValue(value) ?? null))],
  ["split", (text, separator) => textOf(text).split(textOf(separator))],
  ["join", (list, separator) => listOf(list, "join").map(textOf).join(textOf(separator))],
  [
    "title",
    (text) => textOf(text).replaceAll(/(^|\s)(\S)/gu, (_, space, letter) => space + letter.toUpperCase()),
  ],
  ["lower", (text) => textOf(text).toLowerCase()],
  ["upper", (text) => textOf(text).toUpperCase()],
  ["pad", (text, before, after) => padded(textOf(text), before, after)],
  ["truncate", (text, length) => [...textOf(text)].slice(0, countOf(length, "truncate")).join("")],
  ["println", (...values) => `${values.map(textOf).join(" ")}\n`],
  ["print", (...values) => values.map(textOf).join("")],
  ["printf", (format, ...values) => formatted(textOf(format), values)],
  ["html", (...values) => escapedHtml(values.map(textOf).join(""))],
  ["urlquery", (...values) => encodeURIComponent(values.map(textOf).join(""))],
  ["len", (value) => lengthOf(value)],
  ["index", (value, ...keys) => keys.reduce(itemOf, value)],
  ["slice", (value, start, end) => sliceOf(value, start, end)],
  ["not", (value) => !isTrue(value)],
  ["and", (...values) => firstOr(values, (value) => !isTrue(value))],
  ["or", (...values) => firstOr(values, isTrue)],
  ["eq", (value, ...others) => others.some((other) => isEqual(value, other))],
  ["ne", (value, other) => !isEqual(value, other)],
  ["lt", (left, right) => compared(left, right) < 0],
  ["le", (left, right) => compared(left, right) <= 0],
  ["gt", (left, right) => compared(left, right) > 0],
  ["ge", (left, right) => compared(left, right) >= 0],
]);

/** The first value that passes, which may be nil; else the last one. */
function firstOr(values: readonly TemplateValue[], passes: (value: TemplateValue) => boolean): TemplateValue {
  const at = values.findIndex(passes);
  return values[at < 0 ? values.length - 1 : at];
}

/** As in Go: false, 0, nil and whatever is empty are false. */
export function isTrue(value: TemplateValue): boolean {
  const raw = rawValue(value);
  if (Array.isArray(raw)) return raw.length > 0;
  if (typeof raw === "object" && raw !== null) return Object.keys(raw).length > 0;
  return Boolean(raw);
}

/** A value as it is printed, without characters that a terminal acts on. */
export function textOf(value: TemplateValue): string {
  if (typeof value === "string") return value;
  if (value instanceof MeshText) return printable(value.text);
  if (value === null || value === undefined) return "<nil>";
  if (value instanceof FloatLiteral) return String(value.number);
  if (typeof value === "object") return printableJson(JSON.stringify(rawValue(value)));
  return String(value);
}

/** The value as the mesh sent it; undefined for a missing field. */
function rawValue(value: TemplateValue): unknown {
  if (value instanceof MissingField) return undefined;
  if (value instanceof MeshText) return value.text;
  if (value instanceof FloatLiteral) return value.number;
  return Array.isArray(value) ? value.map(rawValue) : value;
}

/** An item of a list or the value of a key; keys may have dots, such as those of labels. */
export function itemOf(value: TemplateValue, key: TemplateValue): TemplateValue {
  const raw = rawValue(value);
  const name = rawValue(key);
  if (Array.isArray(raw)) {
    const item: unknown = typeof name === "number" ? raw[name] : undefined;
    if (item === undefined) throw usageError(`no item ${textOf(key)} in a list of ${raw.length}`);
    return marked(item);
  }
  if (typeof raw !== "object" || raw === null) return new MissingField([textOf(key)], []);
  const object = raw as Record<string, unknown>;
  return Object.hasOwn(object, String(name)) ? marked(object[String(name)]) : "";
}

/** The fields of an object; null for every other value. */
export function objectOf(value: TemplateValue): Readonly<Record<string, unknown>> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const isOwnType =
    value instanceof MeshText || value instanceof MissingField || value instanceof FloatLiteral;
  return isOwnType ? null : (value as Readonly<Record<string, unknown>>);
}

const maxRange = 10_000;

/**
 * Keys and items that `range` iterates over: of a list, of an object by key, of a whole number from 0 up to it.
 *
 * @param variables that are set for each item; a whole number has no keys, so that it takes one at most
 * @throws a usage error for another value, as in Go; nil and a missing field are empty
 */
export function rangeOf(
  value: TemplateValue,
  variables: number,
): readonly (readonly [TemplateValue, TemplateValue])[] {
  if (Array.isArray(value)) return value.map((item, index) => [index, marked(item)]);
  const object = objectOf(value);
  if (object !== null)
    return Object.keys(object)
      .sort()
      .map((key) => [marked(key), marked(object[key])]);
  const raw = rawValue(value);
  if (raw === null || raw === undefined) return [];
  const isWhole = Number.isInteger(raw) && !(value instanceof FloatLiteral);
  if (isWhole && variables > 1)
    throw usageError(
      `range cannot use ${textOf(value)} to iterate over more than one variable`,
      "write {{range $i := 3}}: a whole number has no keys",
    );
  if (typeof raw === "number" && isWhole && raw <= maxRange)
    return Array.from({ length: Math.max(0, raw) }, (_, index) => [index, index]);
  throw usageError(
    `range cannot iterate over ${textOf(value)}`,
    `it takes a list, an object, or a whole number up to ${maxRange}`,
  );
}

/** Marks the strings of the mesh. */
export function marked(value: unknown): TemplateValue {
  return typeof value === "string" ? new MeshText(value) : value;
}

function listOf(value: TemplateValue, name: string): readonly TemplateValue[] {
  const raw = rawValue(value);
  if (raw === null || raw === undefined) return [];
  if (!Array.isArray(raw)) throw usageError(`${name} takes a list, not ${textOf(value)}`);
  return typeof value === "object" && Array.isArray(value) ? value.map(marked) : raw;
}

function padded(text: string, before: TemplateValue, after: TemplateValue): string {
  if (text === "") return text;
  return " ".repeat(countOf(before, "pad")) + text + " ".repeat(countOf(after, "pad"));
}

const maxCount = 10_000;

function countOf(value: TemplateValue, name: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxCount) return value;
  throw usageError(`${name} takes a whole number, not ${textOf(value)}`);
}

function lengthOf(value: TemplateValue): number {
  const raw = rawValue(value);
  if (typeof raw === "string") return [...raw].length;
  if (Array.isArray(raw)) return raw.length;
  if (typeof raw === "object" && raw !== null) return Object.keys(raw).length;
  if (raw === null || raw === undefined) return 0;
  throw usageError(`len takes a text, a list or an object, not ${textOf(value)}`);
}

function sliceOf(value: TemplateValue, start: TemplateValue, end: TemplateValue): TemplateValue {
  const raw = rawValue(value);
  const from = start === undefined ? 0 : countOf(start, "slice");
  const to = end === undefined ? undefined : countOf(end, "slice");
  if (typeof raw === "string") return new MeshText([...raw].slice(from, to).join(""));
  if (Array.isArray(raw)) return raw.slice(from, to);
  throw usageError(`slice takes a text or a list, not ${textOf(value)}`);
}

function isEqual(left: TemplateValue, right: TemplateValue): boolean {
  return (rawValue(left) ?? null) === (rawValue(right) ?? null);
}

/** Negative, 0 or positive. */
function compared(left: TemplateValue, right: TemplateValue): number {
  const [a, b] = [rawValue(left), rawValue(right)];
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw usageError(`cannot compare ${textOf(left)} with ${textOf(right)}`);
}

/** `printf` with the verbs %s, %q, %v, %d, %t and %%, and a width. */
function formatted(format: string, values: readonly TemplateValue[]): string {
  let next = 0;
  return format.replaceAll(
    /%(-?)(\d{0,4})([a-zA-Z%])/g,
    (directive, left: string, width: string, verb: string) => {
      if (verb === "%") return "%";
      if (!"sqvdt".includes(verb))
        throw usageError(`printf cannot read ${directive}`, "verbs: %s %q %v %d %t");
      if (next >= values.length) throw usageError(`printf has no value for ${directive}`);
      const text = textOf(values[next++]);
      const shown = verb === "q" ? JSON.stringify(text) : text;
      return left === "" ? shown.padStart(Number(width)) : shown.padEnd(Number(width));
    },
  );
}

function escapedHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&#34;")
    .replaceAll("'", "&#39;");
}
