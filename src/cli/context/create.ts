// `waggle context create`: stores a context.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { refused } from "../errors.ts";
import { warnings } from "../flags.ts";
import { parseHost, readToken } from "../mesh-target.ts";
import { readContextName, withContext } from "./contexts.ts";
import { changeContexts } from "./store.ts";
import { warnOfPlainHttp } from "./warn-of-plain-http.ts";

type Flags = { readonly url: string; readonly description: string; readonly tokenFile?: string };

export function registerContextCreate(parent: Command, cli: Cli): void {
  parent
    .command("create")
    .argument("<name>", "name of the context")
    .summary("create a context")
    .description("Store a mesh under a name. `waggle login` also checks the token, and uses the context.")
    .requiredOption("--url <url>", "control URL of the mesh")
    .option("--token-file <file>", "file with the token to store (default: none is stored)")
    .option("--description <text>", "description", "")
    .addHelpText(
      "after",
      "\nExamples:\n  waggle context create prod --url https://mesh.example.com --token-file token\n  waggle context create lab --url http://192.0.2.7:8787 --description 'the lab'",
    )
    .action((name: string, flags: Flags) => create(cli, name, flags));
}

async function create(
  cli: Cli,
  text: string,
  { url: urlText, description, tokenFile }: Flags,
): Promise<void> {
  const name = readContextName(text);
  const url = parseHost(urlText);
  const token = tokenFile === undefined ? null : await readToken({ tokenFile }, {});
  await changeContexts(cli.env, warnings(cli), (all) => {
    if (Object.hasOwn(all.contexts, name))
      throw refused(`context "${name}" exists already`, `"waggle context rm ${name}" removes it`);
    return withContext(all, name, { url, token, stateDir: null, description });
  });
  if (token !== null) warnOfPlainHttp(cli, url);
  cli.out.write(`${name}\n`);
  cli.err.write(`Successfully created context "${name}"; "waggle context use ${name}" uses it\n`);
}
