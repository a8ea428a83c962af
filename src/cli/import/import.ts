// `waggle import haproxy.cfg`: creates services and static servers from a HAProxy configuration.

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { firstDynamicPort, lastDynamicPort } from "../../domain/model/ports.ts";
import { type ImportResult, importConfig } from "../../haproxy/import.ts";
import { readFailure } from "../../os/files.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, exitCodes, refused } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { ellipsis, printLines } from "../output.ts";
import { applyImport } from "./apply.ts";
import { checkImport } from "./check.ts";

type Flags = MeshFlags & { readonly dryRun?: boolean; readonly strict?: boolean };

const importHelp = `
Examples:
  waggle import --dry-run /etc/haproxy/haproxy.cfg     show what would be imported; needs no mesh
  waggle import haproxy.cfg                            import; repeat after each change of the file
  LISTEN=8080 waggle import haproxy.cfg                set a variable of the file
  waggle import --strict haproxy.cfg                   import only if every line about requests can be

Each backend or listen section with servers becomes a static service of the same name. The service
of default_backend is published on the ports that the frontend binds. The services of use_backend
get their host names and paths from its conditions. An existing service of the same name is updated,
and its servers that are not in the file are removed. If a line cannot be parsed, nothing changes;
if the mesh refuses a step, the steps before it are taken back.
docs/haproxy.md lists the treatment of each keyword.`;

export function registerImport(program: Command, cli: Cli): void {
  const command = program
    .command("import")
    .argument("<file>", "path of a haproxy.cfg; - reads standard input")
    .summary("import services from a haproxy.cfg")
    .description(
      "Read a HAProxy configuration, report the treatment of each line, and create or update its services and servers.",
    )
    .option("-n, --dry-run", "report what would be done, and change nothing")
    .option("--strict", "change nothing and exit with 1 if a line about requests cannot be imported");
  meshFlags(command)
    .addHelpText("after", importHelp)
    .action((file: string, flags: Flags) => importFile(cli, command, file, flags));
}

async function importFile(cli: Cli, command: Command, file: string, flags: Flags): Promise<void> {
  const imported = importConfig(readConfig(file), cli.env);
  const { errors, services } = imported;
  const name = file === "-" ? "stdin" : file;
  if (errors.length > 0) throw reportParseErrors(cli, imported, name, flags);
  const summary = summaryLines(imported, name);
  if (!flags.json) printLines(cli.out, diagnosticLines(imported, name));
  const refusal = refusalOf(imported, name, flags);
  if (refusal === null) checkImport(services);
  if (refusal !== null || flags.dryRun === true) {
    if (flags.json) printJson(cli.out, { ...imported, done: [] });
    else
      printLines(cli.out, [
        "",
        ...services.flatMap(serviceLines),
        ...summary,
        flags.dryRun === true ? "dry run: nothing was changed" : "nothing was changed",
      ]);
    if (refusal !== null) throw refusal;
    return;
  }
  if (!flags.json) printLines(cli.out, summary);
  await applyServices(cli, await connect(command, cli), imported, flags);
}

/** Why nothing of a file is imported; null if it is. */
function refusalOf(imported: ImportResult, file: string, flags: Flags): CliError | null {
  const { services, strictRefusals } = imported;
  const count = linesWith(strictRefusals, "could not");
  if (flags.strict === true && count > 0) {
    const texts = [...new Set(strictRefusals.map(({ line, text }) => `  ${file}:${line}  ${text}`))];
    const hint = [
      "--strict needs these, because they decide which requests are served, or how:",
      ...texts,
      "without --strict the other lines are imported",
    ];
    return refused(`${linesText(count)} of ${file} cannot be imported: nothing was changed`, hint.join("\n"));
  }
  return services.length === 0 ? refused(`no services to import in ${file}`) : null;
}

function linesWith(diagnostics: ImportResult["diagnostics"], outcome: string): number {
  return new Set(diagnostics.filter((line) => line.outcome === outcome).map(({ line }) => line)).size;
}

function linesText(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}

/** What the file does with requests and the mesh does not, and the number of lines of each outcome. */
function summaryLines(
  { services, diagnostics, lostProtection, lostRoutes }: ImportResult,
  file: string,
): string[] {
  const unbound = services.filter(({ ports }) => ports.length === 0).map(({ name }) => name);
  const lost = [...Map.groupBy(lostProtection, ({ line, effect }) => `${line} ${effect}`).values()].map(
    (uses) => lostLine(uses, file),
  );
  const elsewhere = lostRoutes.map(({ line, section, text }) => `  ${file}:${line}  ${section}: ${text}`);
  const counts = (["taken", "as is", "could not"] as const).map((outcome) => {
    return `${linesWith(diagnostics, outcome)} ${outcome === "could not" ? "could not be imported" : outcome}`;
  });
  return [
    "",
    ...(elsewhere.length === 0
      ? []
      : ["lost routes: requests of these rules go where the other rules send them", ...elsewhere, ""]),
    ...(lost.length === 0 ? [] : ["lost protection: the mesh does not do what these lines do", ...lost, ""]),
    ...(unbound.length === 0
      ? []
      : [
          `own ports: ${unbound.join(", ")} also get a port each, from ${firstDynamicPort} to ${lastDynamicPort}`,
          "  requests to these ports pass no rule of a frontend: keep them closed in the firewall",
          "",
        ]),
    `lines: ${counts.join(", ")}`,
    "",
  ];
}

/** One line of the file that protects. @param uses one for each section that the line counts for, as with defaults */
function lostLine(uses: ImportResult["lostProtection"], file: string): string {
  const [{ line, section, text, effect } = { line: 0, section: "", text: "", effect: "" }] = uses;
  const where = uses.length === 1 ? `${section}: ` : "";
  const services = [...new Set(uses.flatMap((use) => use.services))];
  return `  ${file}:${line}  ${where}${text}  (${effect}; of ${services.join(", ")})`;
}

/** Errors that are printed of one file; one that is no configuration has thousands. */
const maxPrintedErrors = 20;
/** A line of a file that is no text may be as long as the file. */
const maxMessageLength = 400;

/** Prints the lines that cannot be parsed. @returns the error that ends the command */
function reportParseErrors(cli: Cli, imported: ImportResult, name: string, flags: Flags): CliError {
  const { errors } = imported;
  if (flags.json) {
    printJson(cli.out, { ...imported, done: [] });
    return new CliError(exitCodes.refused, "");
  }
  const lines = errors
    .slice(0, maxPrintedErrors)
    .map(({ line, message }) => `${name}:${line}: ${ellipsis(message, maxMessageLength)}`);
  const more = errors.length - lines.length;
  printLines(cli.err, more === 0 ? lines : [...lines, `and ${more} more; --json has all`]);
  const count = linesText(new Set(errors.map(({ line }) => line)).size);
  return new CliError(exitCodes.refused, `cannot parse ${count} of ${name}: nothing was changed`);
}

async function applyServices(
  cli: Cli,
  mesh: MeshClient,
  imported: ImportResult,
  flags: Flags,
): Promise<void> {
  const { services } = imported;
  const done: string[] = [];
  try {
    await applyImport(mesh, services, (step) => {
      done.push(step);
      if (!flags.json) cli.out.write(`${step}\n`);
    });
  } finally {
    if (flags.json) printJson(cli.out, { ...imported, done });
  }
  if (!flags.json && done.length === 0) cli.out.write("no changes: the mesh matches the file\n");
}

function readConfig(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw refused(`cannot read ${file}: ${readFailure(error as NodeJS.ErrnoException)}`);
  }
}

/** `haproxy.cfg:12  taken      server node1 …  (note)`. */
function diagnosticLines({ diagnostics }: ImportResult, file: string): string[] {
  const width = `${file}:${diagnostics.at(-1)?.line ?? 0}`.length;
  return diagnostics.map(({ line, text, outcome, note }) => {
    const treatment = `${`${file}:${line}`.padEnd(width)}  ${outcome.padEnd(9)}  ${text}`;
    return note === "" ? treatment : `${treatment}  (${note})`;
  });
}

function serviceLines({ name, ports, labels, servers }: ImportResult["services"][number]): string[] {
  const port = ports.length === 0 ? "a port that the mesh chooses" : `port ${ports.join(", ")}`;
  const labelTexts = Object.entries(labels).map(([key, value]) => ` ${key}=${value}`);
  return [
    `service ${name} at ${port}${labelTexts.join("")}`,
    ...servers.map(({ spec, admin }) => {
      const state = admin === "ready" ? "" : ` ${admin}`;
      const check = spec.check === null ? "not checked" : `checked every ${spec.check.interMs} ms`;
      return `  server ${spec.name} ${spec.host}:${spec.port} weight ${spec.weight}${spec.backup ? " backup" : ""}${state}, ${check}`;
    }),
  ];
}
