// The heads of requests and responses in a tunnel, as text: the method, or the status and its reason, then a
// line for each header line, in order. The object writes UTF-8, because that is how its runtime reads
// headers; the agent writes the bytes as they are (latin1).

/** A name and a value. */
export type HeaderLine = readonly [name: string, value: string];

export type TunnelRequestHead = { readonly method: string; readonly lines: readonly HeaderLine[] };

export type TunnelResponseHead = {
  readonly status: number;
  readonly reason: string;
  readonly lines: readonly HeaderLine[];
};

/** Prints a request's head. */
export function printRequestHead({ method, lines }: TunnelRequestHead): string {
  return method + printLines(lines);
}

/** Prints a response's head. */
export function printResponseHead({ status, reason, lines }: TunnelResponseHead): string {
  return `${status} ${reason}${printLines(lines)}`;
}

function printLines(lines: readonly HeaderLine[]): string {
  let text = "";
  for (const [name, value] of lines) text += `\n${name}:${value}`;
  return text;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const statusLine = /^([1-9]\d\d) ([^\0\r]*)$/;

/** Reads a request's head; null if it is not one. */
export function readRequestHead(text: string): TunnelRequestHead | null {
  const [method = "", ...rest] = text.split("\n");
  const lines = readLines(rest);
  return token.test(method) && lines !== null ? { method, lines } : null;
}

/** Reads a response's head; null if it is not one. */
export function readResponseHead(text: string): TunnelResponseHead | null {
  const [first = "", ...rest] = text.split("\n");
  const match = statusLine.exec(first);
  const lines = readLines(rest);
  if (match === null || lines === null) return null;
  return { status: Number(match[1]), reason: match[2] as string, lines };
}

function readLines(texts: readonly string[]): HeaderLine[] | null {
  const lines: HeaderLine[] = [];
  for (const text of texts) {
    const colon = text.indexOf(":");
    const name = text.slice(0, Math.max(colon, 0));
    const value = text.slice(colon + 1);
    if (!token.test(name) || value.includes("\r") || value.includes("\0")) return null;
    lines.push([name, value]);
  }
  return lines;
}

/** The values of a header, by its name in lower case. */
export function headerValues(lines: readonly HeaderLine[], name: string): readonly string[] {
  return lines.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
}
