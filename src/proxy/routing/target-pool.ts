// A target pool: the tasks and static servers that one route may send to, and the rules for picking.

import { defaultQueue } from "../../domain/model/task-limit.ts";
import type { Policy } from "../../domain/table/policy.ts";
import type { Share, TableGateway, TableService } from "../../domain/table/table.ts";
import { countsOpen } from "./policies/policies.ts";

/** A task or static server, at the target port of one route. */
export type Target = {
  /** Id of the task or server. */
  readonly taskId: string;
  /** 0 for a global service's task and for a server. */
  readonly slot: number;
  /** Empty for a server. */
  readonly nodeId: string;
  /** The server's name; null for a task. */
  readonly server: string | null;
  /** The target port. */
  readonly port: number;
  /** `http://127.0.0.2:41233`, without a trailing slash; null for a task behind its node's gateway. */
  readonly origin: string | null;
  /** The gateway of its node; null for a target with an origin. */
  readonly gateway: TableGateway | null;
  readonly share: Share;
};

/** How a route picks among its targets. */
export type PoolRules = {
  readonly policy: Policy;
  /** Name of the sticky cookie; null if clients do not stay with a target. */
  readonly sticky: string | null;
  /** Maximum open requests of a target that does not set its own. */
  readonly maxconn: number;
  /** Maximum of queued requests; Infinity if only the isolate's own maximum applies. */
  readonly queue: number;
  readonly queueTimeoutMs: number;
  /** 0 turns slow start off. */
  readonly slowStartMs: number;
};

const defaultRules: PoolRules = {
  policy: "roundrobin",
  sticky: null,
  maxconn: Number.POSITIVE_INFINITY,
  ...defaultQueue,
  slowStartMs: 0,
};

/** The targets of one route. Lists are ascending by id, as round robin requires. */
export type TargetPool = {
  /** Ids of the targets for new clients: all that are not backups, or the backups if there is no other. */
  readonly ids: readonly string[];
  readonly targets: readonly Target[];
  /** The backups, used when no other target is left; null without backups. */
  readonly backups: TargetPool | null;
  /** All targets, including those that take only clients whose sticky cookie names them. */
  readonly all: readonly Target[];
  readonly rules: PoolRules;
  /** All weights of the table are equal. */
  readonly hasEqualWeights: boolean;
  /** When the last slow start ends, epoch milliseconds; 0 without slow start. */
  readonly slowUntilMs: number;
  /** Some target has no gateway: a static server. */
  readonly hasOrigins: boolean;
  /** Some target has a maximum of open requests. */
  readonly hasMaxconn: boolean;
  /** Open requests are counted. */
  readonly tracksOpen: boolean;
  /** Only plain round robin decides: the usual case, kept cheap. */
  readonly isSimple: boolean;
};

/** The rules of a service's policy and options. */
export function rulesOf({ policy, options = {} }: TableService): PoolRules {
  const {
    sticky = null,
    maxconn = defaultRules.maxconn,
    queue = defaultRules.queue,
    queueTimeoutMs = defaultRules.queueTimeoutMs,
    slowStartMs = 0,
  } = options;
  const queueLimit = queue === "unlimited" ? Number.POSITIVE_INFINITY : queue;
  return { policy, sticky, maxconn, queue: queueLimit, queueTimeoutMs, slowStartMs };
}

/** The pool of some targets, which must be ascending by id. */
export function poolOf(all: readonly Target[], rules = defaultRules): TargetPool {
  const accepting = all.filter(
    ({ share }) => share.weight > 0 && share.drain !== true && share.standby !== true,
  );
  const active = accepting.filter(({ share }) => share.backup !== true);
  if (active.length === accepting.length) return newPool(accepting, null, all, rules);
  const backupTargets = accepting.filter(({ share }) => share.backup === true);
  const backups = newPool(backupTargets, null, all, rules);
  return active.length === 0 ? backups : newPool(active, backups, all, rules);
}

function newPool(
  targets: readonly Target[],
  backups: TargetPool | null,
  all: readonly Target[],
  rules: PoolRules,
): TargetPool {
  const { policy, slowStartMs } = rules;
  const hasEqualWeights = targets.every(({ share }) => share.weight === targets[0]?.share.weight);
  const hasMaxconn = all.some((target) => maxconnOf(target, rules) !== Number.POSITIVE_INFINITY);
  const slowEndsMs = targets.map(({ share }) => (share.sinceMs ?? 0) + slowStartMs);
  return {
    ids: targets.map(({ taskId }) => taskId),
    targets,
    backups,
    all,
    rules,
    hasEqualWeights,
    slowUntilMs: slowStartMs === 0 ? 0 : slowEndsMs.reduce((last, endMs) => Math.max(last, endMs), 0),
    hasOrigins: all.some(({ gateway }) => gateway === null),
    hasMaxconn,
    tracksOpen: hasMaxconn || countsOpen(policy),
    isSimple: policy === "roundrobin" && hasEqualWeights && !hasMaxconn && slowStartMs === 0,
  };
}

/** The maximum of a target's open requests; Infinity if it has none. */
export function maxconnOf({ share }: Target, { maxconn }: PoolRules): number {
  return share.maxconn ?? maxconn;
}

/** The minimum share of its weight that a target in slow start has, as in HAProxy. */
const minSlowStartShare = 0.01;

/** A target's current weight: its own, or a part of it during slow start. */
export function weightOf({ share }: Target, { slowStartMs }: PoolRules, nowMs: number): number {
  const { weight, sinceMs } = share;
  if (slowStartMs === 0 || sinceMs === undefined || nowMs - sinceMs >= slowStartMs) return weight;
  return weight * Math.max(minSlowStartShare, (nowMs - sinceMs) / slowStartMs);
}

/**
 * A service's targets at one target port, ascending by id, without tasks that do not listen there and those
 * whose node has no gateway.
 *
 * @param gatewayOf the gateway of a node by its id
 */
export function targetsOf(
  { tasks, servers = [] }: TableService,
  port: number,
  gatewayOf: (nodeId: string) => TableGateway | undefined,
): readonly Target[] {
  const targets = tasks.flatMap((task): Target[] => {
    const { id, slot, nodeId } = task;
    const origin = task.endpoints.find(([target]) => target === port)?.[1];
    const gateway = origin === null ? (gatewayOf(nodeId) ?? null) : null;
    if (origin === undefined || (origin === null && gateway === null)) return [];
    return [{ taskId: id, slot, nodeId, server: null, port, origin, gateway, share: task }];
  });
  if (servers.length === 0) return targets;
  for (const server of servers) {
    const { id, name, origin } = server;
    const place = { slot: 0, nodeId: "", server: name, port, gateway: null };
    targets.push({ taskId: id, ...place, origin, share: server });
  }
  return targets.sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}
