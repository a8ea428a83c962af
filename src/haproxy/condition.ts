// A condition after `use_backend NAME`, as a boolean expression of ACLs.

import type { PathRule } from "../domain/table/path-rule.ts";
import { type Acl, predefinedAcls, readAcl } from "./acl.ts";
import { ConfigError } from "./words.ts";

type AclTerm = { readonly rules: readonly PathRule[]; readonly isNegated: boolean };

/** Holds if all terms of one alternative hold; if negated, if no alternative does. */
export type AclCondition = {
  readonly alternatives: readonly (readonly AclTerm[])[];
  readonly isNegated: boolean;
};

/** The condition that always holds. */
const unconditional: AclCondition = { alternatives: [[]], isNegated: false };

/**
 * Reads for example `if A B || !C` or `unless { path_beg /api }`. Without words the condition always holds.
 *
 * @returns `why` if the mesh does not support one of the ACLs
 * @throws ConfigError
 */
export function readCondition(
  words: readonly string[],
  acls: ReadonlyMap<string, Acl>,
  line: number,
): AclCondition | { readonly why: string } {
  const [head, ...terms] = words;
  if (head === undefined) return unconditional;
  if (head !== "if" && head !== "unless") {
    throw new ConfigError(line, `expected if or unless, found "${head}"`);
  }
  const alternatives: AclTerm[][] = [[]];
  for (let at = 0; at < terms.length; at += 1) {
    const term = terms[at] ?? "";
    if (term === "||" || term.toLowerCase() === "or") {
      alternatives.push([]);
      continue;
    }
    const [, negations = "", operand = ""] = /^(!*)(.*)$/s.exec(term) ?? [];
    if (operand === "") at += 1;
    const name = operand === "" ? (terms[at] ?? "") : operand;
    let acl = acls.get(name) ?? predefinedAcls.get(name);
    if (name === "{") {
      const end = terms.indexOf("}", at);
      if (end < 0) throw new ConfigError(line, "missing } after {");
      const [criterion = "", ...values] = terms.slice(at + 1, end);
      acl = readAcl(criterion, values);
      at = end;
    }
    if (acl === undefined) throw new ConfigError(line, `acl "${name}" is not defined above`);
    if ("why" in acl) return acl;
    alternatives.at(-1)?.push({ rules: acl.rules, isNegated: negations.length % 2 === 1 });
  }
  if (alternatives.some((conjunction) => conjunction.length === 0))
    throw new ConfigError(line, `${head} needs a condition after it`);
  return { alternatives, isNegated: head === "unless" };
}

/** The rules of all ACLs of a condition. */
export function pathRulesOf({ alternatives }: AclCondition): readonly PathRule[] {
  return alternatives.flatMap((conjunction) => conjunction.flatMap(({ rules }) => rules));
}

/** True if the condition holds for all requests of a class, which must be inside or outside of each rule. */
export function appliesTo({ alternatives, isNegated }: AclCondition, requestClass: PathRule): boolean {
  const holds = alternatives.some((conjunction) =>
    conjunction.every((term) => term.rules.some((rule) => covers(rule, requestClass)) !== term.isNegated),
  );
  return holds !== isNegated;
}

/** True if a rule matches every request that another rule matches. */
export function covers(rule: PathRule, other: PathRule): boolean {
  if (rule.host !== null && rule.host !== other.host) return false;
  return rule.exact ? other.exact && rule.path === other.path : other.path.startsWith(rule.path);
}
