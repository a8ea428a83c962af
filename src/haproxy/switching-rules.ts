// Converts HAProxy's `use_backend` rules, of which the first match applies, into the mesh's routing rules, of
// which the most specific match applies.
//
// The host names and paths of all conditions divide the requests into classes: one for each pair of a host
// name (or any) and a path (or any). A request belongs to several classes. The most specific of them, with
// its host name and its longest path, is either inside or outside of each ACL, so every condition has one
// result for all requests of that class. The rules are therefore equivalent to their result for each class. A
// class with the same result as the next less specific class is redundant and is left out.

import { byPrecedence, type PathRule, printPathRule } from "../domain/table/path-rule.ts";
import { type AclCondition, appliesTo, covers, pathRulesOf } from "./condition.ts";

type SwitchingRule<T> = { readonly condition: AclCondition; readonly to: T };
export type RoutingRule<T> = { readonly rule: PathRule; readonly to: T };

/** Limit of the number of classes, far above that of a configuration written by hand. */
const maxRequestClasses = 20_000;

/** The rule that matches every request. */
const matchAll: PathRule = { host: null, path: "/", exact: false };

/**
 * Resolves first-match rules into most-specific-match rules.
 *
 * @param choices first-match rules in their order
 * @param otherwise the result for requests that match no condition
 * @returns the rules, and `rest` for requests that match none; null for too many host names and paths
 * @see docs/decisions/0053-path-rules.md
 */
export function resolveSwitchingRules<T>(
  choices: readonly SwitchingRule<T>[],
  otherwise: T,
): { readonly rest: T; readonly rules: readonly RoutingRule<T>[] } | null {
  const conditionRules = choices.flatMap(({ condition }) => pathRulesOf(condition));
  const hosts = [null, ...new Set(conditionRules.flatMap(({ host }) => host ?? []))];
  const paths = [...new Map([matchAll, ...conditionRules].map((rule) => [pathText(rule), rule])).values()];
  if (hosts.length * paths.length > maxRequestClasses) return null;
  const classes = paths
    .flatMap(({ path, exact }) => hosts.map((host) => ({ host, path, exact })))
    .sort((a, b) => byPrecedence(b, a));
  const resultFor = (requestClass: PathRule) =>
    (choices.find(({ condition }) => appliesTo(condition, requestClass)) ?? { to: otherwise }).to;
  const rest = resultFor(matchAll);
  return {
    rest,
    rules: withoutRedundant(
      classes.map((rule) => ({ rule, to: resultFor(rule) })),
      rest,
    ),
  };
}

/**
 * Removes rules that have the same result as the next less specific rule.
 *
 * @param leastSpecificFirst distinct rules
 * @returns the remaining rules, most specific first
 */
export function withoutRedundant<T>(
  leastSpecificFirst: readonly RoutingRule<T>[],
  rest: T,
): readonly RoutingRule<T>[] {
  const kept: RoutingRule<T>[] = [];
  for (const candidate of leastSpecificFirst) {
    const broader = kept.findLast(({ rule }) => covers(rule, candidate.rule));
    if (candidate.to !== (broader === undefined ? rest : broader.to)) kept.push(candidate);
  }
  return kept.reverse();
}

function pathText({ path, exact }: PathRule): string {
  return printPathRule({ host: null, path, exact });
}
