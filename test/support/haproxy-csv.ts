// A reader of HAProxy's statistics as its users write them: columns by the names in the first line.

export type CsvRow = Readonly<Record<string, string>>;

export type Csv = {
  /** Names as they stand in the first line, without its `# `. */
  readonly names: readonly string[];
  readonly rows: readonly CsvRow[];
  /** How many fields each line has, the first one included. */
  readonly widths: readonly number[];
};

/** Reads a whole CSV; quoted fields as RFC 4180 has them. */
export function readCsv(text: string): Csv {
  if (!text.startsWith("# ")) throw new Error(`no HAProxy CSV: ${text.slice(0, 80)}`);
  const [names = [], ...lines] = records(text.slice(2));
  return {
    names,
    rows: lines.map((fields) => Object.fromEntries(names.map((name, index) => [name, fields[index] ?? ""]))),
    widths: [names, ...lines].map((fields) => fields.length),
  };
}

/** The row of a proxy's frontend, server or backend. */
export function csvRow({ rows }: Csv, proxy: string, server: string): CsvRow {
  const row = rows.find(({ pxname, svname }) => pxname === proxy && svname === server);
  if (row === undefined) throw new Error(`no row ${proxy},${server}`);
  return row;
}

function records(text: string): string[][] {
  const lines: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^,"\r\n]*))(,|\r?\n|$)/gy;
  for (
    let found = field.exec(text);
    found !== null && field.lastIndex <= text.length;
    found = field.exec(text)
  ) {
    const [, quoted, plain = "", end] = found;
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "") break;
    if (end !== ",") lines.push([]);
  }
  return lines.filter((fields) => fields.some((one) => one !== ""));
}
