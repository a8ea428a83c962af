// A condition after `use_backend NAME`, as a boolean expression of ACLs. The grammar has accepted its words.

import type { PathRule } from "../domain/table/path-rule.ts";
import { type Acl, predefinedAcls, readAcl } from "./acl.ts";

type AclTerm = { readonly rules: readonly PathRule[]; readonly isNegated: boolean };

/** Holds if all terms of one alternative hold; if negated, if no alternative does. */
export type AclCondition = {
  readonly alternatives: readonly (readonly AclTerm[])[];
  readonly isNegated: boolean;
};

/** The condition that always holds. */
const unconditional: AclCondition = { alternatives: [[]], isNegated: false };

/** A condition, or why it is not supported; and the names of its ACLs. */
export type ConditionReading = { readonly aclNames: readonly string[] } & (
  | { readonly condition: AclCondition }
  | { readonly why: string; readonly criterion: string }
);

/** Reads for example `if A B || !C` or `unless { path_beg /api }`. Without words the condition always holds. */
export function readCondition(words: readonly string[], acls: ReadonlyMap<string, Acl>): ConditionReading {
  const [head, ...terms] = words;
  if (head === undefined) return { condition: unconditional, aclNames: [] };
  const alternatives: AclTerm[][] = [[]];
  const aclNames: string[] = [];
  let unsupported: Extract<Acl, { why: string }> | null = null;
  for (let at = 0; at < terms.length; at += 1) {
    const term = terms[at] ?? "";
    if (term === "||" || term.toLowerCase() === "or") {
      alternatives.push([]);
      continue;
    }
    const [, negations = "", operand = ""] = /^(!*)(.*)$/s.exec(term) ?? [];
    if (operand === "") at += 1;
    const name = operand === "" ? (terms[at] ?? "") : operand;
    if (name === "") continue;
    const end = name === "{" ? terms.indexOf("}", at) : at;
    const acl = name === "{" ? anonymousAcl(terms.slice(at + 1, end)) : namedAcl(name, acls);
    if (name !== "{") aclNames.push(name);
    at = end;
    if ("why" in acl) unsupported ??= acl;
    else alternatives.at(-1)?.push({ rules: acl.rules, isNegated: negations.length % 2 === 1 });
  }
  if (unsupported !== null) return { ...unsupported, aclNames };
  // HAProxy skips an alternative without terms.
  const withTerms = alternatives.filter((conjunction) => conjunction.length > 0);
  return { condition: { alternatives: withTerms, isNegated: head === "unless" }, aclNames };
}

function anonymousAcl([criterion = "", ...values]: readonly string[]): Acl {
  return readAcl(criterion, values);
}

function namedAcl(name: string, acls: ReadonlyMap<string, Acl>): Acl {
  const acl = acls.get(name) ?? predefinedAcls.get(name);
  return acl ?? { why: `${name} is not defined above`, criterion: name };
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
