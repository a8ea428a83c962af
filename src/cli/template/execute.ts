// Executes a template on a value.

import { refused } from "../errors.ts";
import {
  functions,
  isTrue,
  itemOf,
  MissingField,
  marked,
  objectOf,
  rangeOf,
  type TemplateValue,
  textOf,
} from "./functions.ts";
import type { Branch, Operand, Pipeline, Template } from "./parse.ts";

/**
 * The text of a template for a value.
 *
 * @throws exit code 1 for a field that the value does not have, with those that it has; 2 for an argument that a
 *   function cannot use
 */
export function executeTemplate(template: Template, value: unknown): string {
  const dot = marked(value);
  const run: Run = { texts: [], variables: [{ name: "$", value: dot }] };
  runTemplate(template, dot, run);
  return run.texts.join("");
}

/** What a template has printed, and its variables: the last one of a name counts. A block takes its own back. */
type Run = { readonly texts: string[]; readonly variables: Variable[] };
type Variable = { readonly name: string; value: TemplateValue };

/** The current value, and the variables. */
type Scope = { readonly dot: TemplateValue; readonly variables: readonly Variable[] };

/** What follows a template: the text after it, or the next or no run of the range around it. */
type Flow = "next" | "continue" | "break";

function runTemplate(template: Template, dot: TemplateValue, run: Run): Flow {
  const { texts, variables } = run;
  for (const node of template) {
    if (node.kind === "break" || node.kind === "continue") return node.kind;
    if (node.kind === "text") texts.push(node.text);
    else if (node.kind === "assign")
      setVariable(variables, node.name, evaluate(node.pipeline, { dot, variables }), node.isNew);
    else if (node.kind === "print") texts.push(textOf(required(evaluate(node.pipeline, { dot, variables }))));
    else {
      const begin = variables.length;
      const flow = runBranch(node, dot, run);
      variables.length = begin;
      if (flow !== "next") return flow;
    }
  }
  return "next";
}

function runBranch(branch: Branch, dot: TemplateValue, run: Run): Flow {
  const value = evaluate(branch.pipeline, { dot, variables: run.variables });
  if (branch.kind === "range") return runRange(branch, value, dot, run);
  const [name] = branch.variables;
  if (name !== undefined) setVariable(run.variables, name, value, branch.isNew);
  if (!isTrue(value)) return runTemplate(branch.otherwise, dot, run);
  return runTemplate(branch.then, branch.kind === "with" ? value : dot, run);
}

function runRange(
  { variables: names, isNew, then, otherwise }: Branch,
  value: TemplateValue,
  dot: TemplateValue,
  run: Run,
): Flow {
  const { variables } = run;
  const entries = rangeOf(value, names.length);
  if (entries.length === 0) return runTemplate(otherwise, dot, run);
  const begin = variables.length;
  for (const [key, item] of entries) {
    variables.length = begin;
    const [first, second] = names;
    if (first !== undefined) setVariable(variables, first, second === undefined ? item : key, isNew);
    if (second !== undefined) setVariable(variables, second, item, isNew);
    if (runTemplate(then, item, run) === "break") break;
  }
  return "next";
}

/** @param isNew true if it is declared, and hides an earlier one of this name until its block ends */
function setVariable(variables: Variable[], name: string, value: TemplateValue, isNew: boolean): void {
  if (isNew) variables.push({ name, value });
  else variableOf(name, variables).value = value;
}

function evaluate(pipeline: Pipeline, scope: Scope): TemplateValue {
  let piped: readonly TemplateValue[] = [];
  for (const [first, ...rest] of pipeline) {
    const given = rest.map((operand) => operandValue(operand, scope));
    piped = [first.kind === "function" ? call(first.name, [...given, ...piped]) : operandValue(first, scope)];
  }
  return piped[0];
}

/** Functions that work with fields that may be missing. */
const lenient: ReadonlySet<string> = new Set(["and", "or", "not", "eq", "ne", "index", "len"]);

function call(name: string, values: readonly TemplateValue[]): TemplateValue {
  const run = functions.get(name);
  if (run === undefined) throw new Error(`no function ${name}`);
  return run(...(lenient.has(name) ? values : values.map(required)));
}

function operandValue(operand: Operand, scope: Scope): TemplateValue {
  switch (operand.kind) {
    case "literal":
      return operand.value;
    case "function":
      return call(operand.name, []);
    case "field":
      return fieldOf(
        operand.of === null ? scope.dot : variableOf(operand.of, scope.variables).value,
        operand.path,
      );
    case "group":
      return fieldOf(evaluate(operand.pipeline, scope), operand.path);
  }
}

function variableOf(name: string, variables: readonly Variable[]): Variable {
  const found = variables.findLast((variable) => variable.name === name);
  if (found !== undefined) return found;
  const known = [...new Set(variables.map((variable) => variable.name))];
  throw refused(`no variable ${name}`, `variables: ${known.join(", ")}`);
}

function fieldOf(value: TemplateValue, path: readonly string[]): TemplateValue {
  let current = value;
  for (const name of path) {
    if (current instanceof MissingField) return current;
    const object = objectOf(current);
    if (object === null || !Object.hasOwn(object, name))
      return new MissingField(path, object === null ? [] : Object.keys(object));
    current = itemOf(current, name);
  }
  return current;
}

/** @throws exit code 1 for a missing field */
function required(value: TemplateValue): TemplateValue {
  if (!(value instanceof MissingField)) return value;
  const known = value.known.length === 0 ? "none" : value.known.join(", ");
  throw refused(`no field .${value.path.join(".")}`, `known fields: ${known}`);
}
