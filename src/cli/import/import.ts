// `waggle import haproxy.cfg`: services and static servers out of a HAProxy's configuration.

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { type ImportResult, importConfig } from "../../haproxy/import.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, exitCodes, refused } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import { applyImport } from "./apply.ts";

type Flags = MeshFlags & { readonly dryRun?: boolean };

const importHelp = `
Examples:
  waggle import --dry-run /etc/haproxy/haproxy.cfg     what would be taken, line by line; asks no mesh
  waggle import haproxy.cfg                            take it; again after each change of the file
  LISTEN=8080 waggle import haproxy.cfg                variables in double quotes are those set here

Each backend or listen with servers becomes a static service of its name. That of default_backend is published where the
frontend binds, and those of use_backend take their host names and paths from it. What there is of that name is changed
to what the file says; servers that are not in the file go. Nothing is done while a line cannot be read. docs/haproxy.md
says what becomes of each keyword.`;

export function registerImport(program: Command, cli: Cli): void {
  const command = program
    .command("import")
    .argument("<file>", "a haproxy.cfg; - reads standard input")
    .summary("take over the services of a haproxy.cfg")
    .description("Read a HAProxy's configuration, say what became of each line, and take over its services.")
    .option("-n, --dry-run", "say what would be done, and do nothing");
  meshFlags(command)
    .addHelpText("after", importHelp)
    .action((file: string, flags: Flags) => importFile(cli, command, file, flags));
}

async function importFile(cli: Cli, command: Command, file: string, flags: Flags): Promise<void> {
  const imported = importConfig(readConfig(file), cli.env);
  const { errors, services } = imported;
  const name = file === "-" ? "stdin" : file;
  if (!flags.json) printLines(cli.out, diagnosticLines(imported, name));
  if (errors.length > 0) throw unreadableError(cli, imported, name, flags);
  if (services.length === 0) throw refused(`there is no service in ${name} that the mesh could take`);
  if (flags.dryRun === true) {
    if (flags.json) printJson(cli.out, { ...imported, done: [] });
    else printLines(cli.out, ["", ...services.flatMap(serviceLines), "", "nothing was done: --dry-run"]);
    return;
  }
  await applyServices(cli, await connect(command, cli), imported, flags);
}

/** Says which lines cannot be read. Returns the refusal. */
function unreadableError(cli: Cli, imported: ImportResult, name: string, flags: Flags): CliError {
  const { errors } = imported;
  if (flags.json) {
    printJson(cli.out, { ...imported, done: [] });
    return new CliError(exitCodes.refused, "");
  }
  const lines = errors.map(({ line, message }) => `${name}:${line}: ${message}`);
  printLines(cli.err, lines);
  const many = errors.length === 1 ? "a line" : `${errors.length} lines`;
  return new CliError(exitCodes.refused, `${name} has ${many} that cannot be read: nothing was done`);
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
  } catch (error) {
    if (!(error instanceof CliError) || done.length === 0) throw error;
    const hint = "run it again once that is mended: what is done is found done";
    throw new CliError(
      error.exitCode,
      `${error.message}; ${done.length === 1 ? "1 step was" : `${done.length} steps were`} done before`,
      hint,
      error,
    );
  } finally {
    if (flags.json) printJson(cli.out, { ...imported, done });
  }
  if (!flags.json && done.length === 0) cli.out.write("everything is as the file says already\n");
}

function readConfig(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw refused(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

/** `haproxy.cfg:12  taken      server node1 …  (note)`. */
function diagnosticLines({ diagnostics }: ImportResult, file: string): string[] {
  const width = `${file}:${diagnostics.at(-1)?.line ?? 0}`.length;
  return diagnostics.map(({ line, text, outcome, note }) => {
    const what = `${`${file}:${line}`.padEnd(width)}  ${outcome.padEnd(9)}  ${text}`;
    return note === "" ? what : `${what}  (${note})`;
  });
}

function serviceLines({ name, ports, labels, servers }: ImportResult["services"][number]): string[] {
  const at = ports.length === 0 ? "a port the mesh chooses" : `port ${ports.join(", ")}`;
  const said = Object.entries(labels).map(([key, value]) => ` ${key}=${value}`);
  return [
    `service ${name} at ${at}${said.join("")}`,
    ...servers.map(({ spec, admin }) => {
      const state = admin === "ready" ? "" : ` ${admin}`;
      const check = spec.check === null ? "not checked" : `checked every ${spec.check.interMs} ms`;
      return `  server ${spec.name} ${spec.host}:${spec.port} weight ${spec.weight}${spec.backup ? " backup" : ""}${state}, ${check}`;
    }),
  ];
}
