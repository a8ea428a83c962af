// The labels for path rules: which requests of other services or host names a service takes. docs/labels.md
// documents them.

import {
  byPrecedence,
  matchableRule,
  type PathRule,
  printPathRule,
  readPathRule,
} from "../table/path-rule.ts";
import type { TablePaths } from "../table/table.ts";
import { invalidLabel, isServiceName, type Labels } from "./label.ts";

const pathLabel = "waggle.path";
const atLabel = "waggle.at";

/** All labels read here. */
export const pathLabels: readonly string[] = [pathLabel, atLabel];

/**
 * Reads labels `waggle.path` and `waggle.at`. With `waggle.at`, the rules apply to requests of the services
 * it names; without, to requests for the rule's host name, or for each of `waggle.host` if the rule has none.
 *
 * @param hosts the host names of label `waggle.host`
 * @returns null if the service has no path rules
 */
export function pathsOf(labels: Labels, hosts: readonly string[]): TablePaths | null {
  const [pathText, atText] = [labels[pathLabel], labels[atLabel]];
  const at = [...new Set((atText ?? "").split(",").map((name) => name.trim()))].sort();
  const invalidName = atText === undefined ? undefined : at.find((name) => !isServiceName(name));
  if (invalidName !== undefined) {
    throw invalidLabel(`label '${atLabel}' has '${invalidName}': write service names as my-web,shop`);
  }
  if (pathText === undefined && atText === undefined) return null;
  if (pathText === undefined) {
    throw invalidLabel(`label '${atLabel}' needs '${pathLabel}', the paths it takes of ${at.join(", ")}`);
  }
  const rules = pathText.split(",").map((item) => requirePathRule(item.trim()));
  if (atText !== undefined) return { at, rules: byPrecedenceOnce(rules) };
  if (hosts.length === 0 && rules.some(({ host }) => host === null)) {
    throw invalidLabel(
      `label '${pathLabel}' needs '${atLabel}', the service whose requests it takes, or 'waggle.host', its own host names`,
    );
  }
  const withHosts = rules.flatMap((rule) =>
    rule.host === null ? hosts.map((host) => ({ ...rule, host })) : rule,
  );
  return { at: [], rules: byPrecedenceOnce(withHosts) };
}

/**
 * Checks these labels, and that each rule can match: dot segments are resolved before paths are compared.
 *
 * @throws MeshError `label/invalid`
 */
export function checkPathLabels(labels: Labels, hosts: readonly string[]): void {
  for (const rule of pathsOf(labels, hosts)?.rules ?? []) {
    const matchable = matchableRule(rule);
    if (matchable === rule) continue;
    throw invalidLabel(
      `label '${pathLabel}' has '${printPathRule(rule)}', which no request matches: dot segments and \\ are resolved before; write ${printPathRule(matchable)}`,
    );
  }
}

/** The host names that lead to the service at every path; none if path rules limit it to some paths. */
export function hostsForAllPaths(labels: Labels, hosts: readonly string[]): readonly string[] {
  const isLimited =
    labels[atLabel] === undefined && labels[pathLabel]?.split(",").some((item) => /^\s*=?\//.test(item));
  return isLimited === true ? [] : hosts;
}

function requirePathRule(text: string): PathRule {
  const rule = readPathRule(text);
  if (rule !== null) return rule;
  throw invalidLabel(
    `label '${pathLabel}' has '${text}': write a path prefix as /api, an exact path as =/healthz, a host name before either as www.example.com/api`,
  );
}

/** Each rule once, ordered by precedence. */
function byPrecedenceOnce(rules: readonly PathRule[]): readonly PathRule[] {
  return [...new Map(rules.map((rule) => [printPathRule(rule), rule])).values()].sort(byPrecedence);
}
