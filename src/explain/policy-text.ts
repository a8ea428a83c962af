// Text for policies: how a policy picks, why a task is a candidate, and the service's other routing options.

import type { AttemptOptions } from "../domain/table/attempt-options.ts";
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
  const field = hashedField(policy);
  if (field === null) return null;
  return field.kind === "hdr" ? `header ${field.name}` : `cookie ${field.name}`;
}

/** The task of `count` candidates that gets the request. */
export function pickText(count: number, service: TableService): string {
  if (count === 1) return "the only available task";
  const hashKey = hashKeyText(service);
  if (hashKey !== null) return `the one of ${count} tasks that ${hashKey} hashes to`;
  if (service.policy === "leastconn")
    return `the one of ${count} tasks with the fewest open requests for its weight`;
  if (service.policy === "random") return `the less loaded of two random tasks of ${count}`;
  return `one of ${count} tasks, in turn`;
}

/**
 * The reason why a task is a candidate.
 *
 * @param path the only part of a request that can be hashed here
 */
export function candidateReason(service: TableService, pool: TargetPool, id: string, path: string): string {
  const share = pool.targets.find(({ taskId }) => taskId === id)?.share;
  const hashKey = hashKeyText(service);
  const weight = weightText(pool, share);
  if (service.policy === "uri") {
    return hashTarget(pool, path) === id
      ? "the path hashes to it"
      : "the path hashes to another task; this one may be used if that fails";
  }
  if (hashKey !== null) return `${hashKey} may hash to it${weight}`;
  if (service.policy === "leastconn") return `it is picked while it has the fewest open requests${weight}`;
  if (service.policy === "random") return `it is drawn at random${weight}`;
  return `it takes its turn${weight}`;
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

/** A service's routing options besides its policy, one sentence each. */
export function optionTexts(route: Route, routes: Routes): string[] {
  const { service } = route;
  const { sticky, maxconn, queue, queueTimeoutMs, slowStartMs } = rulesOf(service);
  const texts: string[] = [];
  if (sticky !== null) texts.push(`a client stays with the task that its cookie ${sticky} names`);
  if (service.options?.via === true) texts.push("its tasks get Via with the mesh's name");
  if (maxconn !== Number.POSITIVE_INFINITY) {
    const more = queue === Number.POSITIVE_INFINITY ? "any number waits" : `${queue} more wait`;
    const queued = queue === 0 ? "no queue" : `${more} up to ${queueTimeoutMs / 1_000} s`;
    texts.push(`at most ${maxconn} open requests per task and isolate, and ${queued}`);
  }
  if (slowStartMs > 0) texts.push(`a new task reaches its full weight over ${slowStartMs / 1_000} s`);
  texts.push(...attemptTexts(service.options ?? {}));
  if (service.options?.paths !== undefined) texts.push(pathRulesText(service.options.paths, routes));
  if (service.options?.canary !== undefined) texts.push(canaryText(service.options.canary, route, routes));
  return texts;
}

/** What the labels for attempts set; variables of the data plane, which set the rest, are unknown here. */
function attemptTexts(options: AttemptOptions): string[] {
  const { headTimeoutMs, silenceMs, hedge, retries, replayBytes, bodyTimeoutMs } = options;
  const texts: (string | false)[] = [
    headTimeoutMs !== undefined && `a response must begin within ${headTimeoutMs / 1_000} s, else 504`,
    silenceMs === 0 && "no task counts as frozen",
    silenceMs !== undefined &&
      silenceMs > 0 &&
      `a task without any response for ${silenceMs / 1_000} s counts as frozen`,
    hedge === false && "no request is at two tasks at once",
    retries === 0 && "a request is sent once",
    retries !== undefined && retries > 0 && `a request is sent to at most ${retries + 1} tasks`,
    replayBytes !== undefined && `bodies of up to ${replayBytes} bytes are held to be sent again`,
    bodyTimeoutMs === 0 && "a client may pause its body for any time",
    bodyTimeoutMs !== undefined &&
      bodyTimeoutMs > 0 &&
      `a client that sends no byte of its body for ${bodyTimeoutMs / 1_000} s gets 408`,
  ];
  return texts.filter((text) => text !== false);
}

function pathRulesText({ at, rules }: TablePaths, routes: Routes): string {
  const ruleList = rules.map(printPathRule).join(", ");
  if (at.length === 0) return `it takes requests for ${ruleList}`;
  const owners = at.map((name) => (routes.isPublished(name) ? name : `${name}, which is not published`));
  return `it takes requests for ${ruleList} of ${owners.join(" and of ")}`;
}

function canaryText(canary: Canary, route: Route, routes: Routes): string {
  const { service, percent, header, cookie } = canary;
  const other = routes.canaryOf(route);
  if (other === null) return `its canary ${service} is not published and gets no requests`;
  if (other.mode === "ingress" && other.pool("direct").ids.length === 0) {
    const lacks = other.service.downServers === undefined ? "no live task" : "no server that is up";
    return `its canary ${service} has ${lacks} and gets no requests`;
  }
  const rules = [
    ...(header === undefined ? [] : [`header ${canaryRuleText(header)}`]),
    ...(cookie === undefined ? [] : [`cookie ${canaryRuleText(cookie)}`]),
  ];
  if (rules.length === 0) return `${percent}% of requests go to its canary ${service}`;
  return `requests with ${rules.join(" or ")} go to its canary ${service}, and ${percent}% of the others`;
}

function canaryRuleText({ name, value = "always" }: CanaryRule): string {
  return `${name}=${value}`;
}
