// Decisions: HAProxy's list of `use_backend`, where the first that holds decides, as rules the most exact of which does.
//
// Host names and paths that the conditions name cut the requests into cells: one for each pair of a host name, or any,
// and a path, or any. A request lies in many; the smallest it lies in, by its own host name and its longest path, is
// within or beside each ACL, and so all conditions answer the same for all requests whose smallest cell it is. So a
// list is the same as its answer for each cell; and of those, a cell that gets the answer of the next larger one says
// nothing, and is left out.

import { byPrecedence, type PathRule, printPathRule } from "../domain/table/path-rule.ts";
import { type AclCondition, appliesTo, covers, pathRulesOf } from "./condition.ts";

type SwitchingRule<T> = { readonly condition: AclCondition; readonly to: T };
export type RoutingRule<T> = { readonly rule: PathRule; readonly to: T };

/** More are not a configuration that somebody wrote. */
const maxRuleCells = 20_000;

/** Everything. */
export const matchAll: PathRule = { host: null, path: "/", exact: false };

/**
 * What becomes of requests: `rest` of all that no rule holds for, and of those that rules hold for what the most exact
 * of them says.
 *
 * @param otherwise what becomes of a request that no condition holds for
 * @returns null where there are too many host names and paths
 */
export function resolveSwitchingRules<T>(
  choices: readonly SwitchingRule<T>[],
  otherwise: T,
): { readonly rest: T; readonly rules: readonly RoutingRule<T>[] } | null {
  const named = choices.flatMap(({ condition }) => pathRulesOf(condition));
  const hosts = [null, ...new Set(named.flatMap(({ host }) => host ?? []))];
  const paths = [...new Map([matchAll, ...named].map((rule) => [pathText(rule), rule])).values()];
  if (hosts.length * paths.length > maxRuleCells) return null;
  const cells = paths
    .flatMap(({ path, exact }) => hosts.map((host) => ({ host, path, exact })))
    .sort((a, b) => byPrecedence(b, a));
  const answer = (cell: PathRule) =>
    (choices.find(({ condition }) => appliesTo(condition, cell)) ?? { to: otherwise }).to;
  const rest = answer(matchAll);
  return {
    rest,
    rules: withoutRedundant(
      cells.map((rule) => ({ rule, to: answer(rule) })),
      rest,
    ),
  };
}

/**
 * Decisions without those that say what the next larger one says already.
 *
 * @param leastExactFirst with each of its rules once
 * @returns the most exact one first, as they are looked through
 */
export function withoutRedundant<T>(
  leastExactFirst: readonly RoutingRule<T>[],
  rest: T,
): readonly RoutingRule<T>[] {
  const kept: RoutingRule<T>[] = [];
  for (const one of leastExactFirst) {
    const larger = kept.findLast(({ rule }) => covers(rule, one.rule));
    if (one.to !== (larger === undefined ? rest : larger.to)) kept.push(one);
  }
  return kept.reverse();
}

function pathText({ path, exact }: PathRule): string {
  return printPathRule({ host: null, path, exact });
}
