// Completion candidates of a command line, derived from the command tree.

import type { Argument, Command, Option } from "commander";

/** Kinds of names to fetch from the mesh; contexts are stored here. */
export type NameKind = (typeof nameKinds)[number];
const nameKinds = ["service", "node", "server", "context"] as const;

/** A word, and its help text. */
type CompletionCandidate = { readonly word: string; readonly help: string };

export type CompletionCandidates = {
  readonly words: readonly CompletionCandidate[];
  /** Kind of names to fetch; `suffix` is appended to each (`=` for `scale my-web=`). */
  readonly names: NameKind | null;
  readonly suffix: string;
  /** True if file names are candidates. */
  readonly files: boolean;
  /** Prepended to each candidate: `--mode=` if the value is part of the same word. */
  readonly prefix: string;
};

const noCandidates: CompletionCandidates = { words: [], names: null, suffix: "", files: false, prefix: "" };

/** Matches flags with a path as value. */
const pathFlag = /<(file|dir)>/;

/**
 * The candidates for the last word of a command line.
 *
 * @param words the words after `waggle`; the last word is the one being typed and may be empty
 * @returns all candidates, not only those that start with the typed text; matching is up to the caller
 */
export function candidatesFor(program: Command, words: readonly string[]): CompletionCandidates {
  const typed = words.at(-1) ?? "";
  let command = program;
  let pendingOption: Option | null = null;
  let operands = 0;
  for (const word of words.slice(0, -1)) {
    if (pendingOption !== null) pendingOption = null;
    else if (word === "--") return noCandidates;
    else if (word.startsWith("-"))
      pendingOption = word.includes("=") ? null : takesValue(findOption(command, word));
    else {
      const next = findCommand(command, word);
      if (next === undefined) operands++;
      else command = next;
    }
  }
  if (pendingOption !== null) return valuesOf(pendingOption, "");
  // Words after the image are passed to the task.
  if (operands > 0 && passesThrough(command)) return noCandidates;
  const [, flag] = /^(--[^=]+)=/.exec(typed) ?? [];
  if (flag !== undefined) {
    const option = takesValue(findOption(command, flag));
    return option === null ? noCandidates : valuesOf(option, `${flag}=`);
  }
  if (typed.startsWith("-")) return { ...noCandidates, words: optionWords(command) };
  if (command.commands.length > 0) return { ...noCandidates, words: commandWords(command) };
  return operandsOf(command, operands);
}

function commandWords(command: Command): CompletionCandidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((child) => ({ word: child.name(), help: child.summary() || child.description() }));
}

function optionWords(command: Command): CompletionCandidate[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map((option) => ({ word: option.long ?? option.short ?? "", help: option.description }));
}

function operandsOf(command: Command, index: number): CompletionCandidates {
  const declared = command.registeredArguments;
  const last = declared.at(-1);
  const argument = declared[index] ?? (last?.variadic ? last : undefined);
  if (argument === undefined) return noCandidates;
  const words = (argument.argChoices ?? []).map((word) => ({ word, help: "" }));
  return { ...noCandidates, words, ...namesOf(argument), files: argument.name() === "file" };
}

/**
 * The kind of names by the name of the argument: `<service...>`, `<node>`, `<server>`,
 * `<service=replicas...>`.
 */
function namesOf(argument: Argument): { names: NameKind | null; suffix: string } {
  const [kinds = "", value] = argument.name().split("=");
  const [kind] = kinds.split("|");
  const names = nameKinds.find((name) => name === kind) ?? null;
  return { names, suffix: value === undefined ? "" : "=" };
}

function valuesOf(option: Option, prefix: string): CompletionCandidates {
  const words = (option.argChoices ?? []).map((word) => ({ word, help: "" }));
  const names = option.long === "--context" ? "context" : null;
  return { ...noCandidates, words, names, files: pathFlag.test(option.flags), prefix };
}

function takesValue(option: Option | undefined): Option | null {
  return option?.required || option?.optional ? option : null;
}

function findOption(command: Command, flag: string): Option | undefined {
  return command.options.find((option) => option.long === flag || option.short === flag);
}

function findCommand(command: Command, word: string): Command | undefined {
  return command.commands.find((child) => child.name() === word || child.aliases().includes(word));
}

/** True if words after the first operand are a command line of their own. */
function passesThrough(command: Command): boolean {
  return command.registeredArguments.some((argument) => argument.name() === "command");
}
