// Parses HAProxy's CSV statistics, with columns by the names in the first line.

export type CsvRow = Readonly<Record<string, string>>;

export type Csv = {
  /** From the first line, without its `# `. */
  readonly names: readonly string[];
  readonly rows: readonly CsvRow[];
  /** The number of fields in each line, including the first. */
  readonly widths: readonly number[];
};

/** Quoted fields follow RFC 4180. */
export function readCsv(text: string): Csv {
  if (!text.startsWith("# ")) throw new Error(`not a HAProxy CSV: ${text.slice(0, 80)}`);
  const [names = [], ...lines] = records(text.slice(2));
  return {
    names,
    rows: lines.map((fields) => Object.fromEntries(names.map((name, index) => [name, fields[index] ?? ""]))),
    widths: [names, ...lines].map((fields) => fields.length),
  };
}

/** The row of a proxy's server, FRONTEND or BACKEND. @throws Error if it is absent */
export function csvRow({ rows }: Csv, proxy: string, server: string): CsvRow {
  const row = rows.find(({ pxname, svname }) => pxname === proxy && svname === server);
  if (row === undefined) throw new Error(`no row ${proxy},${server}`);
  return row;
}

function records(text: string): string[][] {
  const lines: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^,"\r\n]*))(,|\r?\n|$)/gy;
  for (
    let match = field.exec(text);
    match !== null && field.lastIndex <= text.length;
    match = field.exec(text)
  ) {
    const [, quoted, plain = "", end] = match;
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "") break;
    if (end !== ",") lines.push([]);
  }
  return lines.filter((fields) => fields.some((value) => value !== ""));
}
