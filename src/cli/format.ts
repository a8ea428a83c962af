// `--format`: prints lists and objects by a template, for scripts. Supports a subset of Docker's Go
// templates: fields (`{{.Name}}`, `{{.Spec.Name}}`), `{{json .Spec}}`, text between them with \t and \n, and
// the word `json`.

import type { Option } from "commander";
import { printable, printableJson } from "../domain/model/printable.ts";
import type { TextSink } from "./cli.ts";
import { refused, usageError } from "./errors.ts";
import { valueFlag } from "./flags.ts";
import { formatTable } from "./output.ts";

type FormatPart = string | { readonly path: readonly string[]; readonly json: boolean };

/** A parsed template. */
export type Format = readonly FormatPart[];

/** The columns of a list: the heading, and the name of the field in templates. */
export type ListColumns = readonly (readonly [heading: string, field: string])[];

export function formatFlag(): Option {
  return valueFlag(
    "--format <template>",
    "format output with a template: 'json', or fields such as '{{.Name}}'",
    readFormat,
  );
}

/** Prints a list as a table, or each row by the format. @param rows cells in the order of the columns */
export function printRows(
  out: TextSink,
  format: Format | undefined,
  columns: ListColumns,
  rows: readonly (readonly string[])[],
): void {
  if (format === undefined) {
    const headings = columns.map(([heading]) => heading);
    return void out.write(formatTable(headings, rows));
  }
  const objects = rows.map((cells) => {
    return Object.fromEntries(columns.map(([, field], index) => [field, (cells[index] ?? "").trim()]));
  });
  printFormatted(out, format, objects);
}

/** Prints each object on its own line by the format. */
export function printFormatted(out: TextSink, format: Format, objects: readonly unknown[]): void {
  for (const object of objects) out.write(`${format.map((part) => partText(part, object)).join("")}\n`);
}

/** Parses a template. @throws a usage error with the unsupported part and the supported syntax */
function readFormat(text: string): Format {
  if (text === "json") return [{ path: [], json: true }];
  return piecesOf(text).flatMap((piece): FormatPart[] => {
    if (!piece.startsWith("{{")) return piece === "" ? [] : [unescaped(piece)];
    const [, json, path] = /^\{\{\s*(json\s+)?\.([\w.]*)\s*\}\}$/.exec(piece) ?? [];
    if (path === undefined) {
      throw usageError(
        `cannot read ${piece}`,
        "write fields as {{.Name}} or {{.Spec.Name}}, {{json .Spec}}, or json alone",
      );
    }
    return [{ path: path.split(".").filter((key) => key !== ""), json: json !== undefined }];
  });
}

/** Splits a template before and after each `{{…}}`. */
function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  let end = 0;
  while (end < text.length) {
    const open = text.indexOf("{{", end);
    if (open < 0) return [...pieces, text.slice(end)];
    const close = text.indexOf("}}", open);
    pieces.push(text.slice(end, open));
    end = close < 0 ? text.length : close + 2;
    pieces.push(text.slice(open, end));
  }
  return pieces;
}

function partText(part: FormatPart, object: unknown): string {
  if (typeof part === "string") return part;
  const value = part.path.reduce((inner, key) => fieldOf(inner, key, part.path), object);
  if (part.json || typeof value === "object") return printableJson(JSON.stringify(value));
  return printable(String(value));
}

function fieldOf(value: unknown, key: string, path: readonly string[]): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, key)) {
    return (value as Record<string, unknown>)[key];
  }
  const knownFields = typeof value === "object" && value !== null ? Object.keys(value).join(", ") : "none";
  throw refused(`no field .${path.join(".")}`, `known fields: ${knownFields}`);
}

function unescaped(text: string): string {
  return text.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}
