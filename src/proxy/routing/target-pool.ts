// A ring: the tasks and servers one route may send to, and which of them take whom.

import type { Policy } from "../../domain/table/policy.ts";
import type { Share, TableService } from "../../domain/table/table.ts";
import { countsOpen } from "./policies/policies.ts";

/** A task, or a static server, as one route reaches it. */
export type Target = {
  /** Id of the task or server. */
  readonly taskId: string;
  /** 0 for a global service's task and for a server. */
  readonly slot: number;
  /** Empty for a server: it is on no node of the mesh. */
  readonly nodeId: string;
  /** The server's name; null for a task. */
  readonly server: string | null;
  /** `http://127.0.0.2:41233`, no slash at its end. */
  readonly origin: string;
  readonly share: Share;
};

/** How a route picks among its targets. */
export type PoolRules = {
  readonly policy: Policy;
  /** Name of the cookie by which clients stay; null: they do not. */
  readonly sticky: string | null;
  /** Open requests per target at most, where it does not say so itself. */
  readonly maxconn: number;
  readonly queue: number;
  readonly queueTimeoutMs: number;
  /** 0: none. */
  readonly slowStartMs: number;
};

const defaultRules: PoolRules = {
  policy: "roundrobin",
  sticky: null,
  maxconn: Number.POSITIVE_INFINITY,
  queue: 100,
  queueTimeoutMs: 5_000,
  slowStartMs: 0,
};

/** Targets ascending by id, and those ids: what round robin goes round. */
export type TargetPool = {
  /** Those that take new clients: all that are not backups, or the backups where there is no other. */
  readonly ids: readonly string[];
  readonly targets: readonly Target[];
  /** Backups that take a request when none of the above is left to ask; null: none. */
  readonly backups: TargetPool | null;
  /** All of them, with those that take only clients whose sticky cookie names them. */
  readonly all: readonly Target[];
  readonly rules: PoolRules;
  /** All weights in the table are alike. */
  readonly hasEqualWeights: boolean;
  /** Until then some target is in its slow start, epoch milliseconds; 0: none is. */
  readonly slowUntilMs: number;
  /** Some target may have no more than a number of open requests. */
  readonly hasMaxconn: boolean;
  /** Open requests are counted. */
  readonly tracksOpen: boolean;
  /** Its targets take turns, and nothing else is to be asked: the usual case, kept cheap. */
  readonly isSimple: boolean;
};

/** What a service's policy and options come to. */
export function rulesOf({ policy, options = {} }: TableService): PoolRules {
  const {
    sticky = null,
    maxconn = defaultRules.maxconn,
    queue = defaultRules.queue,
    queueTimeoutMs = defaultRules.queueTimeoutMs,
    slowStartMs = 0,
  } = options;
  return { policy, sticky, maxconn, queue, queueTimeoutMs, slowStartMs };
}

/** The ring of these targets, which ascend by id. */
export function poolOf(all: readonly Target[], rules = defaultRules): TargetPool {
  const open = all.filter(({ share }) => share.weight > 0 && share.drain !== true && share.standby !== true);
  const active = open.filter(({ share }) => share.backup !== true);
  if (active.length === open.length) return pool(open, null, all, rules);
  const backups = pool(
    open.filter(({ share }) => share.backup === true),
    null,
    all,
    rules,
  );
  return active.length === 0 ? backups : pool(active, backups, all, rules);
}

function pool(
  targets: readonly Target[],
  backups: TargetPool | null,
  all: readonly Target[],
  rules: PoolRules,
): TargetPool {
  const { policy, slowStartMs } = rules;
  const even = targets.every(({ share }) => share.weight === targets[0]?.share.weight);
  const limited = all.some((target) => maxconnOf(target, rules) !== Number.POSITIVE_INFINITY);
  return {
    ids: targets.map(({ taskId }) => taskId),
    targets,
    backups,
    all,
    rules,
    hasEqualWeights: even,
    slowUntilMs:
      slowStartMs === 0
        ? 0
        : targets.reduce((last, { share }) => Math.max(last, (share.sinceMs ?? 0) + slowStartMs), 0),
    hasMaxconn: limited,
    tracksOpen: limited || countsOpen(policy),
    isSimple: policy === "roundrobin" && even && !limited && slowStartMs === 0,
  };
}

/** Open requests a target may have. */
export function maxconnOf({ share }: Target, { maxconn }: PoolRules): number {
  return share.maxconn ?? maxconn;
}

/** A share of its weight that a target in its slow start has at least, as in HAProxy. */
const minSlowStartShare = 0.01;

/** A target's weight now: its own, or a part of that while it starts slowly. */
export function weightOf({ share }: Target, { slowStartMs }: PoolRules, nowMs: number): number {
  const { weight, sinceMs } = share;
  if (slowStartMs === 0 || sinceMs === undefined || nowMs - sinceMs >= slowStartMs) return weight;
  return weight * Math.max(minSlowStartShare, (nowMs - sinceMs) / slowStartMs);
}

/** What a service has at one target port, ascending by id. A task that does not listen there has no part in it. */
export function targetsOf({ tasks, servers = [] }: TableService, port: number): readonly Target[] {
  const targets: Target[] = [];
  for (const task of tasks) {
    const origin = task.endpoints.find(([target]) => target === port)?.[1];
    if (origin === undefined) continue;
    const { id, slot, nodeId } = task;
    targets.push({ taskId: id, slot, nodeId, server: null, origin, share: task });
  }
  if (servers.length === 0) return targets;
  for (const server of servers) {
    const { id, name, origin } = server;
    targets.push({ taskId: id, slot: 0, nodeId: "", server: name, origin, share: server });
  }
  return targets.sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}
