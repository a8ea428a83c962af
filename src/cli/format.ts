// `--format`: prints lists and objects by a template in Docker's syntax, as a table of such columns, or as JSON.

import type { Option } from "commander";
import type { TextSink } from "./cli.ts";
import { valueFlag } from "./flags.ts";
import { formatTable } from "./output.ts";
import { executeTemplate } from "./template/execute.ts";
import { parseTemplate, type Template } from "./template/parse.ts";

/** A parsed `--format`. `pretty` is the readable form of `inspect`, and the table of a list. */
export type Format =
  | { readonly kind: "template" | "table"; readonly template: Template }
  | { readonly kind: "pretty" };

/** The columns of a list: the heading, and the name of the field in templates. */
export type ListColumns = readonly (readonly [heading: string, field: string])[];

export function formatFlag(): Option {
  return valueFlag(
    "--format <template>",
    "format output: json, a Go template such as '{{.Name}}', or 'table {{.Name}}\\t{{.ID}}'",
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
  if (format === undefined || format.kind === "pretty") {
    const headings = columns.map(([heading]) => heading);
    return void out.write(formatTable(headings, rows));
  }
  const fields = columns.map(([, field]) => field);
  const objects = rows.map((cells) =>
    Object.fromEntries(fields.map((field, index) => [field, (cells[index] ?? "").trim()])),
  );
  const headings = Object.fromEntries(columns.map(([heading, field]) => [field, heading]));
  printFormatted(out, format, objects, headings);
}

/**
 * Prints each object on its own line by the format.
 *
 * @param headings the object of a table's first line; absent: the table has no such line
 */
export function printFormatted(
  out: TextSink,
  format: Exclude<Format, { kind: "pretty" }>,
  objects: readonly unknown[],
  headings?: Readonly<Record<string, string>>,
): void {
  const lines = objects.map((object) => executeTemplate(format.template, object));
  if (format.kind === "template") return void out.write(lines.map((line) => `${line}\n`).join(""));
  const [first, ...rest] = (
    headings === undefined ? lines : [executeTemplate(format.template, headings), ...lines]
  ).map((line) => line.split("\t"));
  if (first !== undefined) out.write(formatTable(first, rest));
}

/** Parses a format. @throws a usage error with the part that cannot be read, and what would work */
function readFormat(text: string): Format {
  if (text === "json") return { kind: "template", template: parseTemplate("{{json .}}") };
  if (text === "pretty" || text === "table") return { kind: "pretty" };
  const [, isTable, body] = /^(table\s+)?(.*)$/s.exec(text) ?? [];
  const template = parseTemplate(body ?? "");
  return { kind: isTable === undefined ? "template" : "table", template };
}
