// What may come next on a command line, read off the command tree: nothing is listed twice.

import type { Argument, Command, Option } from "commander";

/** Names that only the mesh knows. */
export type NameKind = "service" | "node" | "server";

/** One word that may follow, and what it means. */
export type CompletionCandidate = { readonly word: string; readonly help: string };

export type CompletionCandidates = {
  readonly words: readonly CompletionCandidate[];
  /** Names to fetch, each followed by `suffix` (`=` for `scale my-web=`). */
  readonly names: NameKind | null;
  readonly suffix: string;
  /** File names may follow. */
  readonly files: boolean;
  /** Put before each candidate: `--mode=` when the value is typed in the same word. */
  readonly prefix: string;
};

const noCandidates: CompletionCandidates = { words: [], names: null, suffix: "", files: false, prefix: "" };

/** Flags whose value is a path. */
const pathFlag = /<(file|dir)>/;

/**
 * The words that may stand at the end of a command line.
 *
 * @param words after `waggle`; the last one is being typed and may be empty
 * @returns also those that do not begin with what was typed: the caller knows how its shell compares
 */
export function candidatesFor(program: Command, words: readonly string[]): CompletionCandidates {
  const typed = words.at(-1) ?? "";
  let command = program;
  let awaiting: Option | null = null;
  let operands = 0;
  for (const word of words.slice(0, -1)) {
    if (awaiting !== null) awaiting = null;
    else if (word === "--") return noCandidates;
    else if (word.startsWith("-"))
      awaiting = word.includes("=") ? null : takesValue(findOption(command, word));
    else {
      const next = findCommand(command, word);
      if (next === undefined) operands++;
      else command = next;
    }
  }
  if (awaiting !== null) return valuesOf(awaiting, "");
  // After an image the words are the task's own.
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

/** An argument is told by its name: `<service...>`, `<node>`, `<server>`, `<service=replicas...>`. */
function namesOf(argument: Argument): { names: NameKind | null; suffix: string } {
  const [kind = "", value] = argument.name().split("=");
  const names = kind === "service" || kind === "node" || kind === "server" ? kind : null;
  return { names, suffix: value === undefined ? "" : "=" };
}

function valuesOf(option: Option, prefix: string): CompletionCandidates {
  const words = (option.argChoices ?? []).map((word) => ({ word, help: "" }));
  return { ...noCandidates, words, files: pathFlag.test(option.flags), prefix };
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

/** Whether words after the first operand belong to somebody else: the last argument is a foreign command line. */
function passesThrough(command: Command): boolean {
  return command.registeredArguments.some((argument) => argument.name() === "command");
}
