// The conditional blocks of haproxy.cfg: `.if`, `.elif`, `.else` and `.endif`, and the messages `.notice`,
// `.warning`, `.diag` and `.alert` (section 2.4 of HAProxy's manual).

import { didYouMean, suggest } from "../domain/model/suggest.ts";
import { ConfigError, type ConfigVariables } from "./words.ts";

/** The version that `.if version_atleast(…)` is compared with: the one whose grammar the import has. */
const haproxyVersion = "2.6.12";
const opensslVersion = "3.0.0";
/** The features of common packages of HAProxy. */
const features: ReadonlySet<string> = new Set([
  ...["ACCEPT4", "BACKTRACE", "CPU_AFFINITY", "CRYPT_H", "DL", "EPOLL", "GETADDRINFO", "LIBCRYPT"],
  ...[
    "LINUX_SPLICE",
    "LINUX_TPROXY",
    "LUA",
    "NETFILTER",
    "NS",
    "OPENSSL",
    "OT",
    "PCRE2",
    "PCRE2_JIT",
    "POLL",
  ],
  ...[
    "PRCTL",
    "PROMEX",
    "RT",
    "SLZ",
    "SYSTEMD",
    "TFO",
    "THREAD",
    "THREAD_DUMP",
    "TPROXY",
    "PCRE",
    "PCRE_JIT",
  ],
]);

/** A block: whether its lines apply, whether an earlier branch did, and whether `.else` was read. */
type ConditionalBlock = {
  readonly line: number;
  readonly isApplied: boolean;
  readonly isDone: boolean;
  readonly hasElse: boolean;
};

/** Follows the blocks of a file from line to line. */
export class Preprocessor {
  readonly #blocks: ConditionalBlock[] = [];

  /** True if the lines at this place apply. */
  get isApplied(): boolean {
    return this.#blocks.every(({ isApplied }) => isApplied);
  }

  /**
   * Reads a line that begins with a dot.
   *
   * @throws ConfigError
   */
  read(words: readonly string[], line: number, env: ConfigVariables): void {
    const [head = "", ...rest] = words;
    if (head === ".if") this.#begin(rest, line, env);
    else if (head === ".elif") this.#continue(rest, line, env);
    else if (head === ".else") this.#otherwise(rest, line);
    else if (head === ".endif") this.#end(rest, line);
    else if (this.isApplied) readMessage(head, rest, line);
  }

  /** The error of a block that does not end; null if all blocks end. */
  unfinished(): ConfigError | null {
    const block = this.#blocks.at(-1);
    return block === undefined ? null : new ConfigError(block.line, "this .if has no .endif");
  }

  #begin(words: readonly string[], line: number, env: ConfigVariables): void {
    const isReached = this.isApplied;
    const block = { line, isApplied: false, isDone: true, hasElse: false };
    this.#blocks.push(block);
    const holds = isReached && evaluate(words, line, env);
    this.#blocks.splice(-1, 1, { ...block, isApplied: holds, isDone: !isReached || holds });
  }

  #continue(words: readonly string[], line: number, env: ConfigVariables): void {
    const block = this.#current(".elif", line);
    if (block.hasElse) throw new ConfigError(line, ".elif is not possible after .else");
    const holds = !block.isDone && evaluate(words, line, env);
    this.#blocks.splice(-1, 1, { ...block, isApplied: holds, isDone: block.isDone || holds });
  }

  #otherwise(words: readonly string[], line: number): void {
    noWords(".else", words, line);
    const block = this.#current(".else", line);
    if (block.hasElse) throw new ConfigError(line, ".else is not possible after .else");
    this.#blocks.splice(-1, 1, { ...block, isApplied: !block.isDone, isDone: true, hasElse: true });
  }

  #end(words: readonly string[], line: number): void {
    noWords(".endif", words, line);
    this.#current(".endif", line);
    this.#blocks.pop();
  }

  #current(head: string, line: number): ConditionalBlock {
    const block = this.#blocks.at(-1);
    if (block === undefined) throw new ConfigError(line, `${head} has no .if before it`);
    return block;
  }
}

function noWords(head: string, words: readonly string[], line: number): void {
  if (words.length > 0) throw new ConfigError(line, `${head} has a word after it: "${words[0]}"`);
}

const blockWords = [".if", ".elif", ".else", ".endif"];
const messageWords = [".alert", ".diag", ".notice", ".warning"];

function readMessage(head: string, words: readonly string[], line: number): void {
  if (!messageWords.includes(head)) {
    const hint = didYouMean(suggest(head, [...blockWords, ...messageWords]));
    throw new ConfigError(line, `unknown keyword "${head}"${hint}`);
  }
  if (words.length > 1) throw new ConfigError(line, `${head} takes one word: write its text in quotes`);
  if (head === ".alert") throw new ConfigError(line, `the file stops here with .alert: ${words[0] ?? ""}`);
}

function evaluate(words: readonly string[], line: number, env: ConfigVariables): boolean {
  return new ConditionReader(words.join(" "), line, env).read();
}

/** Reads an expression of `&&`, `||`, `!`, parentheses, numbers and predicates. */
class ConditionReader {
  readonly #text: string;
  readonly #line: number;
  readonly #env: ConfigVariables;
  #at = 0;

  constructor(text: string, line: number, env: ConfigVariables) {
    this.#text = text;
    this.#line = line;
    this.#env = env;
  }

  read(): boolean {
    // HAProxy reads an empty expression as false.
    if (this.#text.trim() === "") return false;
    const value = this.#readAlternatives();
    this.#skipSpaces();
    if (this.#at < this.#text.length) throw this.#error(this.#text.slice(this.#at));
    return value;
  }

  #readAlternatives(): boolean {
    let value = this.#readConjunction();
    while (this.#take("||")) value = this.#readConjunction() || value;
    return value;
  }

  #readConjunction(): boolean {
    let value = this.#readTerm();
    while (this.#take("&&")) value = this.#readTerm() && value;
    return value;
  }

  #readTerm(): boolean {
    if (this.#take("!")) return !this.#readTerm();
    if (this.#take("(")) {
      const value = this.#readAlternatives();
      if (!this.#take(")")) throw this.#error(this.#text);
      return value;
    }
    const rest = this.#text.slice(this.#at);
    const [number] = /^-?\d+/.exec(rest) ?? [];
    if (number !== undefined) {
      this.#at += number.length;
      return Number(number) !== 0;
    }
    const [call, name = "", argumentText = ""] = /^([a-z_]+)\(([^)]*)\)/.exec(rest) ?? [];
    if (call === undefined) throw this.#error(rest);
    this.#at += call.length;
    return this.#holds(name, argumentText);
  }

  #holds(name: string, argumentText: string): boolean {
    const [first = "", second = ""] = argumentText
      .split(",")
      .map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
    if (name === "defined") return Object.hasOwn(this.#env, first) && this.#env[first] !== undefined;
    if (name === "feature") return features.has(first);
    if (name === "streq") return first === second;
    if (name === "strneq") return first !== second;
    if (name === "strstr") return first.includes(second);
    if (name === "version_atleast") return compareVersions(haproxyVersion, first) >= 0;
    if (name === "version_before") return compareVersions(haproxyVersion, first) < 0;
    if (name === "openssl_version_atleast") return compareVersions(opensslVersion, first) >= 0;
    if (name === "openssl_version_before") return compareVersions(opensslVersion, first) < 0;
    if (name === "ssllib_name_startswith") return "OpenSSL".startsWith(first);
    if (name === "enabled") return true;
    throw this.#error(name);
  }

  #take(token: string): boolean {
    this.#skipSpaces();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    this.#skipSpaces();
    return true;
  }

  #skipSpaces(): void {
    while (this.#text.charAt(this.#at) === " ") this.#at += 1;
  }

  #error(text: string): ConfigError {
    return new ConfigError(
      this.#line,
      `cannot read the condition at "${text.slice(0, 40)}": write for example defined(NAME) or streq("$NAME",value)`,
    );
  }
}

/** Compares versions such as 2.6 and 2.6.12 or 2.5-dev3, part by part. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) =>
    text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0),
  );
  for (let at = 0; at < 3; at += 1) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
