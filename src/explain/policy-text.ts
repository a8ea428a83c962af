// A policy in words: how it picks, why a task is a candidate, and the service's other routing options.

import { printPathRule } from "../domain/table/path-rule.ts";
import { hashedField } from "../domain/table/policy.ts";
import type { Canary, CanaryRule, Share, TablePaths, TableService } from "../domain/table/table.ts";
import { byHash } from "../proxy/routing/policies/hash.ts";
import { keyOf } from "../proxy/routing/policies/policies.ts";
import type { Route, Routes } from "../proxy/routing/routes.ts";
import { rulesOf, type TargetPool } from "../proxy/routing/target-pool.ts";

/** What a hashing policy hashes, as part of a sentence; null for other policies. */
function hashKeyText({ policy }: TableService): string | null {
  if (policy === "source") return "the client's address";
  if (policy === "uri") return "the path";
  const named = hashedField(policy);
  if (named === null) return null;
  return named.kind === "hdr" ? `header ${named.name}` : `cookie ${named.name}`;
}

/** Which of `count` tasks gets the request. */
export function pickText(count: number, service: TableService): string {
  if (count === 1) return "the one task that can";
  const hashed = hashKeyText(service);
  if (hashed !== null) return `the one of ${count} tasks that ${hashed} leads to`;
  if (service.policy === "leastconn")
    return `the one of ${count} tasks with the fewest open requests for its weight`;
  if (service.policy === "random") return `the less busy of two drawn from ${count} tasks`;
  return `one of ${count} tasks, in turn`;
}

/**
 * Why a task is a candidate.
 *
 * @param path the only hash key that is known here
 */
export function candidateReason(service: TableService, pool: TargetPool, id: string, path: string): string {
  const share = pool.targets.find(({ taskId }) => taskId === id)?.share;
  const hashed = hashKeyText(service);
  const part = weightText(pool, share);
  if (service.policy === "uri") {
    return hashTarget(pool, path) === id
      ? "the path leads to it"
      : "the path leads to another; it is next when that fails";
  }
  if (hashed !== null)
    return `${hashed} leads to it${part === "" ? "" : ", as often as its weight says"}${part}`;
  if (service.policy === "leastconn") return `it is asked while it has the fewest open requests${part}`;
  if (service.policy === "random") return `it is drawn at random${part}`;
  return `it takes its turn${part}`;
}

function weightText({ hasEqualWeights, targets }: TargetPool, share: Share | undefined): string {
  if (hasEqualWeights || share === undefined) return "";
  const total = targets.reduce((sum, target) => sum + target.share.weight, 0);
  return `, with weight ${share.weight} of ${total}`;
}

function hashTarget(pool: TargetPool, path: string): string | undefined {
  const { targets, hasEqualWeights } = pool;
  const index = byHash({
    targets,
    hasEqualWeights,
    isWarm: true,
    key: keyOf("uri", "", path, new Headers()),
    isAvailable: () => true,
    weight: (at) => targets[at]?.share.weight ?? 0,
    open: () => 0,
    nextInTurn: () => -1,
    smoothWeights: new Map(),
    random: () => 0,
  });
  return targets[index]?.taskId;
}

/** A service's routing options besides its policy, a sentence each. */
export function optionTexts(route: Route, routes: Routes): string[] {
  const { service } = route;
  const { sticky, maxconn, queue, queueTimeoutMs, slowStartMs } = rulesOf(service);
  const texts: string[] = [];
  if (sticky !== null) texts.push(`a client stays with the task that its cookie ${sticky} names`);
  if (maxconn !== Number.POSITIVE_INFINITY) {
    const queued = queue === 0 ? "none waits" : `${queue} more wait up to ${queueTimeoutMs / 1_000} s`;
    texts.push(`at most ${maxconn} open requests a task and isolate, and ${queued}`);
  }
  if (slowStartMs > 0) texts.push(`a new task comes to its weight over ${slowStartMs / 1_000} s`);
  if (service.options?.paths !== undefined) texts.push(pathRulesText(service.options.paths, routes));
  if (service.options?.canary !== undefined) texts.push(canaryText(service.options.canary, route, routes));
  return texts;
}

function pathRulesText({ at, rules }: TablePaths, routes: Routes): string {
  const what = rules.map(printPathRule).join(", ");
  if (at.length === 0) return `it takes ${what}`;
  const whose = at.map((name) => (routes.isPublished(name) ? name : `${name}, which is not published`));
  return `it takes ${what} of ${whose.join(" and of ")}`;
}

function canaryText(canary: Canary, route: Route, routes: Routes): string {
  const { service, percent, header, cookie } = canary;
  const other = routes.canaryOf(route);
  if (other === null) return `its canary ${service} is not published, and gets nothing`;
  if (other.mode === "ingress" && other.pool("direct").ids.length === 0) {
    return `its canary ${service} has no live task, and gets nothing`;
  }
  const rules = [
    ...(header === undefined ? [] : [`header ${canaryRuleText(header)}`]),
    ...(cookie === undefined ? [] : [`cookie ${canaryRuleText(cookie)}`]),
  ];
  const first = rules.length === 0 ? "" : `requests with ${rules.join(" or ")} go to ${service}, and `;
  return `${first}${percent}% of ${rules.length === 0 ? "requests" : "the others"} go to ${rules.length === 0 ? service : "it"}, its canary`;
}

function canaryRuleText({ name, value = "always" }: CanaryRule): string {
  return `${name}=${value}`;
}
