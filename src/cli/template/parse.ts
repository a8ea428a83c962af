// Parses templates in the syntax of Go's text/template, which Docker's `--format` has: fields, pipelines, functions,
// variables, `if`, `range` and `with`. Templates that define others are refused.
//
// @see https://pkg.go.dev/text/template

import { usageError } from "../errors.ts";
import { functions } from "./functions.ts";
import { type Literal, type Token, tokensOf } from "./tokens.ts";

/** A template: texts and actions in order. */
export type Template = readonly TemplateNode[];

type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | {
      readonly kind: "assign";
      readonly name: string;
      readonly isNew: boolean;
      readonly pipeline: Pipeline;
    }
  /** Ends the run of a range's body, or its whole range. */
  | { readonly kind: "continue" }
  | { readonly kind: "break" }
  | Branch;

/** `if`, `with` or `range`, with its `else`. */
export type Branch = {
  readonly kind: "if" | "with" | "range";
  /** The variables of `range $i, $v := …` or `with $v := …`; the last one is the value. */
  readonly variables: readonly string[];
  /** False if existing variables are set: `range $v = …`. */
  readonly isNew: boolean;
  readonly pipeline: Pipeline;
  readonly then: Template;
  readonly otherwise: Template;
};

/** Commands; the value of each is the last argument of the next. */
export type Pipeline = readonly Command[];

type Command = readonly [Operand, ...Operand[]];

/** How many variables a branch may have. */
const maxVariables: Readonly<Record<Branch["kind"], number>> = { if: 1, with: 1, range: 2 };

export type Operand =
  | { readonly kind: "literal"; readonly value: Literal }
  /** A function with the arguments that follow it in its command. */
  | { readonly kind: "function"; readonly name: string }
  /** `.A.B` of the current value, or of a variable. */
  | { readonly kind: "field"; readonly of: string | null; readonly path: readonly string[] }
  | { readonly kind: "group"; readonly pipeline: Pipeline; readonly path: readonly string[] };

/** Parses a template. @throws a usage error that quotes the action that cannot be read, with what would work */
export function parseTemplate(text: string): Template {
  const parser = new Parser(piecesOf(text));
  const template = parser.list();
  parser.expectEnd();
  return template;
}

type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly text: string };

const comment = /^\/\*.*\*\/$/s;

/** Splits a template at `{{` and `}}`; the marks `{{-` and `-}}` trim the text beside them. */
function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsNext = false;
  const addText = (end: number, trimsEnd: boolean): void => {
    let part = text.slice(at, end);
    if (trimsNext) part = part.trimStart();
    if (trimsEnd) part = part.trimEnd();
    if (part !== "") pieces.push({ kind: "text", text: unescaped(part) });
  };
  for (;;) {
    const open = text.indexOf("{{", at);
    if (open < 0) break;
    const close = endOfAction(text, open + 2);
    const inner = text.slice(open + 2, close < 0 ? text.length : close);
    if (close < 0) throw unreadable(`{{${inner}`, 'close it with "}}"');
    const trimsBefore = /^-\s/.test(inner);
    addText(open, trimsBefore);
    trimsNext = /\s-$/.test(inner);
    const action = inner.slice(trimsBefore ? 1 : 0, trimsNext ? -1 : undefined).trim();
    if (!comment.test(action)) pieces.push({ kind: "action", text: action });
    at = close + 2;
  }
  addText(text.length, false);
  return pieces;
}

/** As in Docker, `\\t` and `\\n` of a text stand for a tab and a newline, so that they need no help of the shell. */
function unescaped(text: string): string {
  return text.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

/** The index of the `}}` that ends an action: not one within quotes; -1 without one. */
function endOfAction(text: string, start: number): number {
  let quote = "";
  for (let at = start; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote === "" && text.startsWith("}}", at)) return at;
    if (quote === '"' && char === "\\") at += 1;
    else if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "`")) quote = char;
  }
  return -1;
}

class Parser {
  readonly #pieces: readonly Piece[];
  #at = 0;
  /** The bodies of `range` around the current piece. */
  #ranges = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Nodes up to an `else` or `end`, which stays. */
  list(): Template {
    const nodes: TemplateNode[] = [];
    for (let piece = this.#peek(); piece !== undefined; piece = this.#peek()) {
      if (piece.kind === "action" && /^(?:else|end)\b/.test(piece.text)) return nodes;
      this.#at++;
      nodes.push(piece.kind === "text" ? { kind: "text", text: piece.text } : this.#action(piece.text));
    }
    return nodes;
  }

  expectEnd(): void {
    const piece = this.#peek();
    if (piece !== undefined) throw unreadable(`{{${piece.text}}}`, "it has no if, range or with before it");
  }

  #peek(): Piece | undefined {
    return this.#pieces[this.#at];
  }

  #action(text: string): TemplateNode {
    const [, word, rest = ""] = /^(if|range|with)\b(.*)$/s.exec(text) ?? [];
    if (word !== undefined) return this.#branch(word as Branch["kind"], rest, text);
    if (text === "break" || text === "continue") {
      if (this.#ranges > 0) return { kind: text };
      throw unreadable(`{{${text}}}`, "write it between {{range …}} and its {{end}}");
    }
    const [, name, operator, assigned = ""] = /^(\$\w*)\s*(:?=)(.*)$/s.exec(text) ?? [];
    if (name !== undefined)
      return { kind: "assign", name, isNew: operator === ":=", pipeline: parsePipeline(assigned, text) };
    return { kind: "print", pipeline: parsePipeline(text, text) };
  }

  #branch(kind: Branch["kind"], condition: string, text: string): Branch {
    const [, declared, operator, rest] = /^\s*(\$\w*(?:\s*,\s*\$\w*)*)\s*(:?=)(.*)$/s.exec(condition) ?? [];
    const variables = declared?.split(",").map((name) => name.trim()) ?? [];
    const most = maxVariables[kind];
    if (variables.length > most)
      throw unreadable(
        `{{${text}}}`,
        `${kind} declares ${most === 1 ? "one variable" : "two variables"} at most`,
      );
    const pipeline = parsePipeline(rest ?? condition, text);
    const depth = kind === "range" ? 1 : 0;
    this.#ranges += depth;
    const then = this.list();
    this.#ranges -= depth;
    const otherwise = this.#otherwise(kind, text);
    return { kind, variables, isNew: operator !== "=", pipeline, then, otherwise };
  }

  /** What follows `else`, up to and with the `end` of the branch. */
  #otherwise(kind: Branch["kind"], opened: string): Template {
    const piece = this.#peek();
    if (piece === undefined) throw unreadable(`{{${opened}}}`, "close it with {{end}}");
    this.#at++;
    if (piece.text === "end") return [];
    const [, chained, word] = /^else\s+((if|with)\b.*)$/s.exec(piece.text) ?? [];
    // `else if` shares the end of its `if`, and `else with` that of its `with`.
    if (chained !== undefined && word === kind) return [this.#action(chained)];
    if (piece.text !== "else") {
      const chain = kind === "range" ? "" : `, {{else ${kind} …}}`;
      throw unreadable(`{{${piece.text}}}`, `write {{else}}${chain} or {{end}} after {{${opened}}}`);
    }
    const nodes = this.list();
    const end = this.#peek();
    if (end?.text !== "end") throw unreadable(`{{${opened}}}`, "close it with {{end}}");
    this.#at++;
    return nodes;
  }
}

function parsePipeline(text: string, action: string): Pipeline {
  const tokens = tokensOf(text);
  if (tokens === null) throw unreadable(`{{${action}}}`, syntax);
  const reader = new TokenReader(tokens, action);
  const pipeline = reader.pipeline();
  if (!reader.isAtEnd) throw unreadable(`{{${action}}}`, syntax);
  return pipeline;
}

class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #action: string;
  #at = 0;

  constructor(tokens: readonly Token[], action: string) {
    this.#tokens = tokens;
    this.#action = action;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  pipeline(): Pipeline {
    const commands = [this.#command()];
    while (this.#tokens[this.#at]?.kind === "pipe") {
      this.#at++;
      commands.push(this.#command());
    }
    return commands;
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      if (token.kind === "pipe" || token.kind === "close") break;
      this.#at++;
      operands.push(this.#operand(token));
    }
    const [first, ...rest] = operands;
    if (first === undefined) throw this.#error(syntax);
    if (first.kind === "literal" && first.value === null)
      throw this.#error("nil is an argument, as in {{eq .Name nil}}, and no value of its own");
    if (rest.length > 0 && first.kind !== "function") throw this.#error("only functions take arguments");
    return [first, ...rest];
  }

  #operand(token: Token): Operand {
    switch (token.kind) {
      case "literal":
        return { kind: "literal", value: token.value };
      case "field":
        return { kind: "field", of: token.variable, path: token.path };
      case "word":
        if (functions.has(token.word)) return { kind: "function", name: token.word };
        throw this.#error(`functions: ${[...functions.keys()].sort().join(", ")}`);
      case "open": {
        const pipeline = this.pipeline();
        const close = this.#tokens[this.#at];
        if (close?.kind !== "close") throw this.#error('close it with ")"');
        this.#at++;
        return { kind: "group", pipeline, path: close.path };
      }
      default:
        throw this.#error(syntax);
    }
  }

  #error(hint: string): Error {
    return unreadable(`{{${this.#action}}}`, hint);
  }
}

const syntax = "write fields as {{.Name}} or {{.Spec.Name}}, {{json .Spec}}, or json alone";

function unreadable(what: string, hint: string): Error {
  return usageError(`cannot read ${what}`, hint);
}
