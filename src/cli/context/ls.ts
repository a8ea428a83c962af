// `waggle context ls`: the contexts, and which mesh commands use.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { CliError } from "../errors.ts";
import { readTargetFlags, warnings } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import {
  findTarget,
  type TargetFlags,
  type TargetSource,
  targetSource,
  targetWithoutContext,
} from "../mesh-target.ts";
import { compareNaturally, printLines } from "../output.ts";
import { type Context, type Contexts, defaultContext } from "./contexts.ts";
import { loadContexts } from "./store.ts";

type Flags = { readonly format?: Format; readonly quiet?: boolean; readonly json?: boolean };

/** A row; `error` says why the mesh of the context cannot be named, such as a removed state folder. */
type ContextRow = {
  readonly name: string;
  readonly current: boolean;
  readonly description: string;
  readonly url: string;
  readonly token: "stored" | "state folder" | "environment" | "none";
  readonly error: string;
};

export function registerContextLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .summary("list contexts")
    .description("List contexts. A star marks the one that commands use now.")
    .option("-q, --quiet", "only display names")
    .option("--json", "format output as JSON")
    .addOption(formatFlag())
    .addHelpText(
      "after",
      "\nExamples:\n  waggle context ls\n  waggle context ls --format '{{.Name}} {{.URL}}'",
    )
    .action((flags: Flags) => list(cli, readTargetFlags(command), flags));
}

async function list(cli: Cli, target: TargetFlags, flags: Flags): Promise<void> {
  const all = await loadContexts(cli.env, warnings(cli));
  const source = targetSource(target, cli.env);
  const current = source.kind === "context" ? source.name : source.kind === "default" ? all.current : null;
  const names = Object.keys(all.contexts).sort(compareNaturally);
  const rows = [
    await defaultRow(cli, target, all, current === null),
    ...(await Promise.all(names.map((name) => rowOf(cli, all, name, current === name)))),
  ];
  if (flags.json) printJson(cli.out, rows);
  else if (flags.quiet)
    printLines(
      cli.out,
      rows.map(({ name }) => name),
    );
  else printRows(cli.out, flags.format, contextColumns, rows.map(cellsOf));
  if (isOverridden(source))
    warnings(cli)(`${source.from} is set, and takes precedence over the context in use`);
}

/** True if the environment names another mesh than the context in use. */
function isOverridden(source: TargetSource): source is Extract<TargetSource, { from: string }> {
  return "from" in source && source.from.startsWith("WAGGLE_");
}

/** Docker's columns, and whether a token is stored. */
const contextColumns: ListColumns = [
  ["NAME", "Name"],
  ["DESCRIPTION", "Description"],
  ["URL", "URL"],
  ["TOKEN", "Token"],
  ["ERROR", "Error"],
];

function cellsOf({ name, current, description, url, token, error }: ContextRow): string[] {
  return [`${name}${current ? " *" : ""}`, description, url, token, error];
}

/** The mesh that commands use without a context: of the environment, else of a state folder. */
export async function defaultRow(
  cli: Cli,
  target: TargetFlags,
  all: Contexts,
  isCurrent: boolean,
): Promise<ContextRow> {
  const { WAGGLE_TOKEN } = cli.env;
  const { kind } = targetSource(target, cli.env);
  const isGiven = kind === "url" || kind === "state";
  const finding = isGiven ? findTarget(target, cli.env) : targetWithoutContext(all, WAGGLE_TOKEN || null);
  const found = await finding.catch(errorOf);
  const row = { name: defaultContext, current: isCurrent };
  if (typeof found === "string") return { ...row, description: "", url: "", token: "none", error: found };
  const token = WAGGLE_TOKEN ? "environment" : found.token === null ? "none" : "state folder";
  return { ...row, description: `from ${found.source}`, url: found.url, token, error: "" };
}

async function rowOf(
  cli: Cli,
  { contexts }: Contexts,
  name: string,
  isCurrent: boolean,
): Promise<ContextRow> {
  const context = contexts[name] as Context;
  const row = { name, current: isCurrent, description: context.description };
  if (context.stateDir === null)
    return { ...row, url: context.url, token: context.token === null ? "none" : "stored", error: "" };
  const { XDG_CONFIG_HOME, HOME } = cli.env;
  const found = await findTarget({ context: name }, { XDG_CONFIG_HOME, HOME }).catch(errorOf);
  return typeof found === "string"
    ? { ...row, url: context.url, token: "none", error: found }
    : { ...row, url: found.url, token: "state folder", error: "" };
}

function errorOf(error: unknown): string {
  if (error instanceof CliError) return error.message;
  throw error;
}
