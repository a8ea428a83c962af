// `waggle login`: checks a token against a mesh, and stores it in a context.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { contextNamed, readContextName, withContext } from "./context/contexts.ts";
import { changeContexts, loadContexts } from "./context/store.ts";
import { warnOfPlainHttp } from "./context/warn-of-plain-http.ts";
import { usageError } from "./errors.ts";
import { connectTo, warnings } from "./flags.ts";
import { checkToken, parseHost, readToken } from "./mesh-target.ts";
import { readSecret } from "./read-secret.ts";
import { engineVersion } from "./shapes.ts";
import { tokenRole } from "./token-role.ts";

type Flags = { readonly name?: string; readonly tokenFile?: string };

const loginHelp = `
Examples:
  waggle login https://mesh.example.com
  waggle login --name prod https://mesh.example.com < token
  waggle login                              another token for the context in use

The token is asked for without showing it; from a pipe or file it is read from standard input. It is stored only
if the mesh accepts it, in a file that only you can read.`;

export function registerLogin(program: Command, cli: Cli): void {
  program
    .command("login")
    .argument("[url]", "control URL of the mesh (default: that of the context)")
    .summary("check a token and store it in a context")
    .description("Check the token of a mesh, store both in a context, and use it from now on.")
    .option("--name <context>", "name of the context (default: the one in use without a URL, else the host)")
    .option("--token-file <file>", "file with the token, in place of standard input")
    .addHelpText("after", loginHelp)
    .action((url: string | undefined, flags: Flags) => login(cli, url, flags));
}

async function login(cli: Cli, urlText: string | undefined, flags: Flags): Promise<void> {
  const { name, url } = await destination(cli, urlText, flags.name);
  const token = await tokenOf(cli, url, flags);
  const mesh = connectTo(
    { url, token, source: urlText === undefined ? `context ${name}` : "the command line" },
    cli,
  );
  const { Version } = await mesh.get("/version", engineVersion);
  const role = await tokenRole(mesh);
  await changeContexts(cli.env, warnings(cli), (all) => {
    const description = all.contexts[name]?.description ?? "";
    return { ...withContext(all, name, { url, token, stateDir: null, description }), current: name };
  });
  warnOfPlainHttp(cli, url);
  cli.out.write(
    `Login Succeeded: ${role} of the mesh at ${url} (waggle ${Version}); context "${name}" is in use\n`,
  );
}

/** The context to write, and its URL. */
async function destination(
  cli: Cli,
  urlText: string | undefined,
  nameText: string | undefined,
): Promise<{ readonly name: string; readonly url: string }> {
  const given = nameText === undefined ? undefined : readContextName(nameText);
  if (urlText !== undefined) {
    const url = parseHost(urlText);
    return { name: given ?? nameOf(url), url };
  }
  const all = await loadContexts(cli.env, warnings(cli));
  const name = given ?? all.current;
  if (name === null)
    throw usageError("no context is in use", "give the URL: waggle login https://mesh.example.com");
  return { name, url: contextNamed(all, name).url };
}

/** A name for the mesh at a URL: its host, with a port that its scheme does not imply. */
function nameOf(url: string): string {
  return readContextName(
    new URL(url).host.replaceAll(/[^a-zA-Z0-9_.+-]/g, "-").replace(/^[^a-zA-Z0-9]+/, ""),
  );
}

async function tokenOf(cli: Cli, url: string, { tokenFile }: Flags): Promise<string> {
  if (tokenFile !== undefined) return (await readToken({ tokenFile }, {})) ?? "";
  const text = (await readSecret(cli, `Token of ${url}: `)).trim();
  if (text === "") throw usageError("no token was given", "type it, or write it to standard input");
  return checkToken(text, "the token");
}
