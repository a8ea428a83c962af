// A condition, as it stands after `use_backend NAME`: which requests it holds for.

import type { PathRule } from "../domain/table/path-rule.ts";
import { type Acl, predefinedAcls, readAcl } from "./acl.ts";
import { ConfigError } from "./words.ts";

/** An ACL, or where it does not hold. */
type AclTerm = { readonly rules: readonly PathRule[]; readonly isNegated: boolean };

/** One of the alternatives holds, each of which is of terms that all hold; or with `isNot` none does. */
export type AclCondition = {
  readonly alternatives: readonly (readonly AclTerm[])[];
  readonly isNegated: boolean;
};

/** What no condition is. */
const unconditional: AclCondition = { alternatives: [[]], isNegated: false };

/**
 * Reads `if A B || !C`, `unless { path_beg /api }`; without a word it always holds.
 *
 * @returns why it cannot be taken, where an ACL looks at something the mesh cannot
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
    throw new ConfigError(line, `"${head}" stands where if or unless is expected`);
  }
  const alternatives: AclTerm[][] = [[]];
  for (let at = 0; at < terms.length; at += 1) {
    const term = terms[at] ?? "";
    if (term === "||" || term.toLowerCase() === "or") {
      alternatives.push([]);
      continue;
    }
    const [, nots = "", first = ""] = /^(!*)(.*)$/s.exec(term) ?? [];
    if (first === "") at += 1;
    const name = first === "" ? (terms[at] ?? "") : first;
    let acl = acls.get(name) ?? predefinedAcls.get(name);
    if (name === "{") {
      const end = terms.indexOf("}", at);
      if (end < 0) throw new ConfigError(line, "the { has no } after it");
      const [criterion = "", ...values] = terms.slice(at + 1, end);
      acl = readAcl(criterion, values);
      at = end;
    }
    if (acl === undefined) throw new ConfigError(line, `there is no acl "${name}" before this line`);
    if ("why" in acl) return acl;
    alternatives.at(-1)?.push({ rules: acl.rules, isNegated: nots.length % 2 === 1 });
  }
  if (alternatives.some((all) => all.length === 0))
    throw new ConfigError(line, `${head} has no condition after it`);
  return { alternatives, isNegated: head === "unless" };
}

/** All rules its ACLs are of. */
export function pathRulesOf({ alternatives }: AclCondition): readonly PathRule[] {
  return alternatives.flatMap((all) => all.flatMap(({ rules }) => rules));
}

/** Whether it holds for all that `cell` does; the cell must be within or beside each of its ACLs' rules. */
export function appliesTo({ alternatives, isNegated }: AclCondition, cell: PathRule): boolean {
  const holds = alternatives.some((all) =>
    all.every((term) => term.rules.some((rule) => covers(rule, cell)) !== term.isNegated),
  );
  return holds !== isNegated;
}

/** Whether a rule holds wherever another one does. */
export function covers(rule: PathRule, other: PathRule): boolean {
  if (rule.host !== null && rule.host !== other.host) return false;
  return rule.exact ? other.exact && rule.path === other.path : other.path.startsWith(rule.path);
}
