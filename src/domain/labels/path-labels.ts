// Which requests of others a service takes by their path, as its labels say it. docs/labels.md explains them.

import { byPrecedence, type PathRule, printPathRule, readPathRule } from "../table/path-rule.ts";
import type { TablePaths } from "../table/table.ts";
import { invalidLabel, isServiceName, type Labels } from "./label.ts";

const pathLabel = "waggle.path";
const atLabel = "waggle.at";

/** All labels read here. */
export const pathLabels: readonly string[] = [pathLabel, atLabel];

/**
 * Labels `waggle.path` and `waggle.at`: which requests the service takes, and whose. Where `waggle.at` names no service,
 * they are those of host names: the rule's own, or each of `waggle.host`.
 *
 * @param hosts what label `waggle.host` says
 * @returns null where it takes none
 */
export function pathsOf(labels: Labels, hosts: readonly string[]): TablePaths | null {
  const [text, others] = [labels[pathLabel], labels[atLabel]];
  const at = [...new Set((others ?? "").split(",").map((name) => name.trim()))].sort();
  const wrong = others === undefined ? undefined : at.find((name) => !isServiceName(name));
  if (wrong !== undefined) {
    throw invalidLabel(`label '${atLabel}' has '${wrong}': write names of services as my-web,shop`);
  }
  if (text === undefined && others === undefined) return null;
  if (text === undefined) {
    throw invalidLabel(
      `label '${atLabel}' needs '${pathLabel}': which requests of ${at.join(", ")} it takes`,
    );
  }
  const rules = text.split(",").map((item) => requirePathRule(item.trim()));
  if (others !== undefined) return { at, rules: byPrecedenceOnce(rules) };
  if (hosts.length === 0 && rules.some(({ host }) => host === null)) {
    throw invalidLabel(
      `label '${pathLabel}' needs '${atLabel}', the service whose requests it takes, or 'waggle.host', the host names it is reached by`,
    );
  }
  const named = rules.flatMap((rule) =>
    rule.host === null ? hosts.map((host) => ({ ...rule, host })) : rule,
  );
  return { at: [], rules: byPrecedenceOnce(named) };
}

/** Host names that lead to the service whatever the path is: none where its paths are said to be all of them it takes. */
export function hostsForAllPaths(labels: Labels, hosts: readonly string[]): readonly string[] {
  const narrows =
    labels[atLabel] === undefined && labels[pathLabel]?.split(",").some((item) => /^\s*=?\//.test(item));
  return narrows === true ? [] : hosts;
}

function requirePathRule(text: string): PathRule {
  const rule = readPathRule(text);
  if (rule !== null) return rule;
  throw invalidLabel(
    `label '${pathLabel}' has '${text}': write the beginning of paths as /api, one path as =/healthz, a host name before either as www.example.com/api`,
  );
}

/** Each once, the one that decides first before the others. */
function byPrecedenceOnce(rules: readonly PathRule[]): readonly PathRule[] {
  return [...new Map(rules.map((rule) => [printPathRule(rule), rule])).values()].sort(byPrecedence);
}
