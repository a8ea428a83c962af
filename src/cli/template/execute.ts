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
  return runTemplate(template, { dot, variables: new Map([["$", dot]]) });
}

/** The current value, and the variables by name with `$`. */
type Scope = { readonly dot: TemplateValue; readonly variables: Map<string, TemplateValue> };

function runTemplate(template: Template, scope: Scope): string {
  let text = "";
  for (const node of template) {
    if (node.kind === "text") text += node.text;
    else if (node.kind === "assign") scope.variables.set(node.name, evaluate(node.pipeline, scope));
    else if (node.kind === "print") text += textOf(required(evaluate(node.pipeline, scope)));
    else text += runBranch(node, scope);
  }
  return text;
}

function runBranch(branch: Branch, scope: Scope): string {
  const value = evaluate(branch.pipeline, scope);
  if (branch.kind === "range") return runRange(branch, value, scope);
  if (!isTrue(value)) return runTemplate(branch.otherwise, scope);
  const [name] = branch.variables;
  const variables = name === undefined ? scope.variables : new Map([...scope.variables, [name, value]]);
  return runTemplate(branch.then, { dot: branch.kind === "with" ? value : scope.dot, variables });
}

function runRange({ variables, then, otherwise }: Branch, value: TemplateValue, scope: Scope): string {
  const entries = rangeOf(value);
  if (entries.length === 0) return runTemplate(otherwise, scope);
  return entries
    .map(([key, item]) => {
      const [first, second] = variables;
      const declared: [string, TemplateValue][] = [];
      if (first !== undefined) declared.push([first, second === undefined ? item : key]);
      if (second !== undefined) declared.push([second, item]);
      return runTemplate(then, { dot: item, variables: new Map([...scope.variables, ...declared]) });
    })
    .join("");
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
      return fieldOf(operand.of === null ? scope.dot : variableOf(operand.of, scope), operand.path);
    case "group":
      return fieldOf(evaluate(operand.pipeline, scope), operand.path);
  }
}

function variableOf(name: string, { variables }: Scope): TemplateValue {
  if (variables.has(name)) return variables.get(name);
  throw refused(`no variable ${name}`, `variables: ${[...variables.keys()].join(", ")}`);
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
