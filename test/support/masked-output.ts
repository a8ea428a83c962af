// Output of the Docker CLI without what differs from run to run, for golden files: ids, times, ports, and the width that
// these give to columns.

/** Texts of this run and what stands for them: a port, a host name. */
export type Replacements = readonly (readonly [text: string, mask: string])[];

/** Masks the output of one command. */
export function maskedOutput(output: string, replacements: Replacements): string {
  // Ids first: a port or a short host name may be a part of one.
  const mask = (text: string) =>
    replacements.reduce((replaced, [from, to]) => replaced.replaceAll(from, to), maskedText(text));
  const plain = output
    .replaceAll("\r", "")
    .replace(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----\n/, "<certificate>");
  const lines = ownPart(plain.split("\n")).map((line) => line.trimEnd());
  const [header = ""] = lines;
  const shown = isHeader(header) ? realigned(lines, mask) : withoutProgress(lines).map(mask);
  return shown.join("\n").trimEnd();
}

/** Facts about the machine and its releases. */
const machineFacts =
  /^( *(?:Version|Go version|Git commit|GitCommit|Built|ID|NodeID|ClusterID|Operating System|Architecture|OS\/Arch|CPUs|Memory|Issuer Subject|Issuer Public Key):\s*)\S.*$/;

function maskedText(text: string): string {
  return text
    .replace(machineFacts, "$1<...>")
    .replace(/SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}/g, "<token>")
    .replace(/\b[0-9a-f]{64}\b/g, "<id>")
    .replace(/\b(?=[a-z]*\d)[0-9a-z]{25}\b/g, "<id>")
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 utc)/g, "<time>")
    .replace(/\b1\d{9}\b/g, "<time>")
    .replace(/(?:Less than a second|About an? \w+|\d+ \w+) ago/gi, "<time> ago")
    .replace(/\bUp (?:Less than a second|About an? \w+|\d+ \w+)/g, "Up <time>");
}

/** Of `docker version` the server, of `docker info` its Swarm: the rest is about the machine. */
function ownPart(lines: readonly string[]): readonly string[] {
  const server = lines.findIndex((line) => line.startsWith("Server:"));
  if (server < 1) return lines;
  const swarm = lines.findIndex((line) => line.startsWith(" Swarm: "));
  if (swarm < 0) return lines.slice(server);
  const end = lines.findIndex((line, at) => at > swarm && !line.startsWith("  "));
  return ["Server:", ...lines.slice(swarm, end)];
}

/** A line of column titles. */
function isHeader(line: string): boolean {
  return /^[A-Z ]+$/.test(line) && line.includes("  ");
}

/** A table with masked cells, in columns that are as wide as these need. */
function realigned(lines: readonly string[], mask: (text: string) => string): string[] {
  const [header = "", ...rows] = lines.filter((line) => line !== "");
  const starts = [...header.matchAll(/(?<=^| {3})\S/g)].map(({ index }) => index);
  const cells = [header, ...rows].map((line) =>
    starts.map((start, at) => mask(maskedCell(line.slice(start, starts[at + 1]).trim(), at === 0))),
  );
  const widths = starts.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

/** @param isFirst the column of ids, which may be short */
function maskedCell(cell: string, isFirst: boolean): string {
  return isFirst ? cell.replace(/^[0-9a-z]{12}(?= |$)/, "<id>") : cell;
}

/** The steps of a progress display that depend on no timing. */
function withoutProgress(lines: readonly string[]): string[] {
  const kept = lines
    .filter((line) => !/^\d+\/\d+:/.test(line))
    .filter((line) => {
      const [, done, all] = /^overall progress: (\d+) out of (\d+) tasks$/.exec(line) ?? [];
      return done === undefined || done === "0" || done === all;
    })
    .map((line) => line.replace(/^(verify: Waiting )\d+ seconds/, "$1<n> seconds"));
  return kept.filter((line, at) => !/^(?:overall progress|verify)/.test(line) || line !== kept[at - 1]);
}
