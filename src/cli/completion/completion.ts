// `waggle completion SHELL`, and the hidden `waggle __complete` that its scripts call.

import type { Command } from "commander";
import { printable } from "../../domain/model/printable.ts";
import type { Cli } from "../cli.ts";
import { createClient } from "../client.ts";
import { loadContexts } from "../context/store.ts";
import { choiceArgument } from "../flags.ts";
import { findTarget, type TargetFlags } from "../mesh-target.ts";
import { engineNode, engineService, listOf, serverStatus } from "../shapes.ts";
import { type CompletionCandidates, candidatesFor, type NameKind } from "./candidates.ts";
import { completionScript, type Shell, shells } from "./scripts.ts";

/** Timeout of fetching names, milliseconds; the user is waiting at the prompt. */
const namesTimeoutMs = 700;

const completionHelp = `
Examples:
  eval "$(waggle completion bash)"             in ~/.bashrc
  eval "$(waggle completion zsh)"              in ~/.zshrc, after compinit
  waggle completion fish > ~/.config/fish/completions/waggle.fish`;

export function registerCompletion(program: Command, cli: Cli): void {
  program
    .command("completion")
    .addArgument(choiceArgument("<shell>", "shell that evaluates the script", shells))
    .summary("generate the autocompletion script for a shell")
    .description(
      "Generate the autocompletion script for a shell. It completes verbs, flags, and names of services and nodes.",
    )
    .addHelpText("after", completionHelp)
    .action((shell: Shell) => void cli.out.write(completionScript(shell)));
  program
    .command("__complete", { hidden: true })
    .requiredOption("--shell <shell>", "calling shell")
    .argument("[words...]")
    .action(async (words: string[], flags: { shell: Shell }) => {
      const typed = flags.shell === "bash" ? joinAtEquals(words) : words;
      // A tab separates a candidate from its description.
      const lines = await completionLines(program, cli, typed, flags.shell);
      for (const line of lines) cli.out.write(`${line.split("\t").map(printable).join("\t")}\n`);
    });
}

/** Joins `--mode`, `=`, `global`: Bash splits words at `=`. */
export function joinAtEquals(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const previous = joined.at(-1);
    const belongsToPrevious =
      word === "=" ? previous?.startsWith("--") : previous?.startsWith("--") && previous.endsWith("=");
    if (previous !== undefined && belongsToPrevious) joined[joined.length - 1] = previous + word;
    else joined.push(word);
  }
  return joined;
}

async function completionLines(
  program: Command,
  cli: Cli,
  words: readonly string[],
  shell: Shell,
): Promise<string[]> {
  const candidates = candidatesFor(program, words);
  const names = candidates.names === null ? [] : await namesOf(cli, candidates.names, targetFlagsIn(words));
  const allCandidates = [
    ...candidates.words,
    ...names.map((name) => ({ word: name + candidates.suffix, help: candidates.names ?? "" })),
  ];
  // Bash replaces only the part after "=".
  const prefix = shell === "bash" ? "" : candidates.prefix;
  const typed = (words.at(-1) ?? "").slice(candidates.prefix.length);
  const lines = allCandidates
    .filter(({ word }) => word.startsWith(typed))
    .map(({ word, help }) => `${prefix}${word}\t${help}`);
  return [...lines, ...directives(candidates)];
}

function directives(candidates: CompletionCandidates): string[] {
  return [...(candidates.files ? [":files"] : []), ...(candidates.suffix === "" ? [] : [":nospace"])];
}

/** The connection flags on the line being completed. */
function targetFlagsIn(words: readonly string[]): TargetFlags {
  const valueAfter = (...flags: string[]) => {
    const index = words.findIndex((word) => flags.includes(word));
    return index < 0 ? undefined : words[index + 1];
  };
  return {
    host: valueAfter("-H", "--host"),
    context: valueAfter("--context"),
    tokenFile: valueAfter("--token-file"),
    state: valueAfter("--state"),
  };
}

/** Names from the mesh, or of contexts; none after an error or a timeout, which must not disturb the prompt. */
async function namesOf(cli: Cli, kind: NameKind, target: TargetFlags): Promise<string[]> {
  try {
    if (kind === "context") return Object.keys((await loadContexts(cli.env, () => {})).contexts).sort();
    const mesh = createClient(await findTarget(target, cli.env), namesTimeoutMs);
    if (kind === "service")
      return (await mesh.get("/services", listOf(engineService))).map((service) => service.Spec.Name);
    if (kind === "server") {
      const servers = await mesh.getNative("/servers", listOf(serverStatus));
      return servers.map(({ service, spec }) => `${service}/${spec.name}`);
    }
    const nodes = await mesh.get("/nodes", listOf(engineNode));
    // The leader is the mesh itself, which no command changes.
    return nodes
      .filter((node) => node.ManagerStatus?.Leader !== true)
      .map((node) => node.Description?.Hostname ?? node.ID);
  } catch {
    return [];
  }
}
