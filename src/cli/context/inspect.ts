// `waggle context inspect`: details of contexts, without their tokens.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { refused } from "../errors.ts";
import { warnings } from "../flags.ts";
import { type InspectFlags, inspectEach } from "../for-each-ref.ts";
import { formatFlag } from "../format.ts";
import { type Contexts, contextNamed, defaultContext } from "./contexts.ts";
import { defaultRow } from "./ls.ts";
import { contextsPath, loadContexts } from "./store.ts";

export function registerContextInspect(parent: Command, cli: Cli): void {
  parent
    .command("inspect")
    .argument("[context...]", "name (default: the context in use)")
    .summary("display detailed information on one or more contexts")
    .description("Display detailed information on one or more contexts as JSON. It has no tokens.")
    .addOption(formatFlag())
    .addHelpText(
      "after",
      "\nExamples:\n  waggle context inspect\n  waggle context inspect --format '{{.URL}}' prod",
    )
    .action(async (names: string[], flags: InspectFlags) => {
      const all = await loadContexts(cli.env, warnings(cli));
      const refs = names.length === 0 ? [all.current ?? defaultContext] : names;
      const file = contextsPath(cli.env) ?? "";
      await inspectEach(cli, refs, flags, async (name) =>
        name === defaultContext ? await describeDefault(cli, all, file) : describe(all, name, file),
      );
    });
}

async function describeDefault(cli: Cli, all: Contexts, file: string) {
  const { name, url, description, token, error } = await defaultRow(cli, {}, all, all.current === null);
  if (error !== "") throw refused(error);
  return {
    Name: name,
    Current: all.current === null,
    URL: url,
    Description: description,
    Token: token,
    StateDir: "",
    File: file,
  };
}

function describe(all: Contexts, name: string, file: string) {
  const { url, token, stateDir, description } = contextNamed(all, name);
  return {
    Name: name,
    Current: all.current === name,
    URL: url,
    Description: description,
    Token: token !== null ? "stored" : stateDir !== null ? "of the state folder" : "none",
    StateDir: stateDir ?? "",
    File: file,
  };
}
