// The labels for load balancing: a service's policy and options, and the weights and backups among its tasks.
// docs/labels.md documents them.

import { type Constraint, nodeMatches, parseConstraint } from "../model/constraint.ts";
import { isAuthority } from "../model/host-name.ts";
import { isToken } from "../model/http-token.ts";
import type { MeshNode } from "../model/node.ts";
import { setsSessionCookie } from "../model/session-cookie.ts";
import type { Task } from "../model/task.ts";
import { defaultQueue, type TaskLimit } from "../model/task-limit.ts";
import { type Policy, policyWords, readPolicy } from "../table/policy.ts";
import type { Canary, CanaryRule, Share, TableOptions } from "../table/table.ts";
import { attemptOptionsOf } from "./attempt-labels.ts";
import {
  invalidLabel,
  isServiceName,
  type Labels,
  labelBoolean,
  labelCount,
  labelDurationMs,
} from "./label.ts";
import { tcpOptionsOf } from "./tcp-labels.ts";

const labelNames = {
  balance: "waggle.balance",
  sticky: "waggle.sticky",
  via: "waggle.via",
  hostHeader: "waggle.host-header",
  maxconn: "waggle.maxconn",
  queue: "waggle.queue",
  queueTimeout: "waggle.queue-timeout",
  slowStart: "waggle.slowstart",
  marker: "waggle.marker",
  weight: "waggle.weight",
  backup: "waggle.backup",
  allBackups: "waggle.allbackups",
  canary: "waggle.canary",
  canaryWeight: "waggle.canary.weight",
  canaryHeader: "waggle.canary.header",
  canaryCookie: "waggle.canary.cookie",
} as const;

export const balanceLabels: readonly string[] = Object.values(labelNames);

/** HAProxy's maximum. */
const maxWeight = 256;

/** A condition on a task: the node it runs on, or its slot. */
type TaskCondition =
  | { readonly slot: number; readonly equal: boolean }
  | { readonly constraint: Constraint }
  | "always";

/** The weights of a service's tasks, and which of them are backups. */
export type ShareRules = {
  /** The first condition that holds decides; without one the weight is 1. */
  readonly weights: readonly { readonly when: TaskCondition; readonly weight: number }[];
  /** A task is a backup if any of them holds. */
  readonly backups: readonly TaskCondition[];
};

/** Checks these labels and their combinations. @throws MeshError `label/invalid` */
export function checkBalanceLabels(labels: Labels): void {
  balancePolicyOf(labels);
  shareRulesOf(labels);
  usesAllBackups(labels);
  optionsOf(labels);
  const sticky = labels[labelNames.sticky];
  if (sticky !== undefined && setsSessionCookie(`${sticky}=`)) {
    throw invalidLabel(
      `label '${labelNames.sticky}' is '${sticky}', a name of the dashboard's session cookie: write another cookie name`,
    );
  }
  for (const name of [labelNames.queue, labelNames.queueTimeout]) {
    if (labels[name] !== undefined && labels[labelNames.maxconn] === undefined) {
      throw invalidLabel(
        `label '${name}' needs '${labelNames.maxconn}': without a limit no request is queued`,
      );
    }
  }
  for (const name of [labelNames.canaryWeight, labelNames.canaryHeader, labelNames.canaryCookie]) {
    if (labels[name] !== undefined && labels[labelNames.canary] === undefined) {
      throw invalidLabel(`label '${name}' needs '${labelNames.canary}': the name of the canary service`);
    }
  }
}

/** The policy of label `waggle.balance`; `path` is an alias of `uri`. */
export function balancePolicyOf(labels: Labels): Policy {
  const text = labels[labelNames.balance];
  if (text === undefined) return "roundrobin";
  const policy = readPolicy(text === "path" ? "uri" : text);
  if (policy === null) throw invalidLabel(`label '${labelNames.balance}' is '${text}': write ${policyWords}`);
  return policy;
}

/** The service's options in the routing table; null if no label sets one. */
export function optionsOf(labels: Labels): TableOptions | null {
  const sticky = labels[labelNames.sticky];
  if (sticky !== undefined && !isToken(sticky)) {
    throw invalidLabel(`label '${labelNames.sticky}' is '${sticky}': write a cookie name`);
  }
  const via = labelBoolean(labels, labelNames.via) === true;
  const hostHeader = hostHeaderOf(labels);
  const maxconn = labelCount(labels, labelNames.maxconn, 1);
  const queue = queueOf(labels);
  const queueTimeoutMs = labelDurationMs(labels, labelNames.queueTimeout);
  const slowStartMs = labelDurationMs(labels, labelNames.slowStart);
  const marker = labels[labelNames.marker];
  if (marker !== undefined && !isToken(marker)) {
    throw invalidLabel(`label '${labelNames.marker}' is '${marker}': write a header name`);
  }
  const canary = canaryOf(labels);
  const options: TableOptions = {
    ...tcpOptionsOf(labels),
    ...(sticky !== undefined && { sticky }),
    ...(via && { via }),
    ...(hostHeader !== undefined && { hostHeader }),
    ...(maxconn !== undefined && { maxconn }),
    ...(queue !== undefined && { queue }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(slowStartMs !== undefined && { slowStartMs }),
    ...(marker !== undefined && { marker: marker.toLowerCase() }),
    ...attemptOptionsOf(labels),
    ...(canary !== undefined && { canary }),
  };
  return Object.keys(options).length === 0 ? null : options;
}

/** The limit that gateways keep for each of the service's tasks; null without one. */
export function taskLimitOf(labels: Labels): TaskLimit | null {
  const {
    maxconn,
    queue = defaultQueue.queue,
    queueTimeoutMs = defaultQueue.queueTimeoutMs,
  } = optionsOf(labels) ?? {};
  if (maxconn === undefined) return null;
  return { maxconn, queue: queue === "unlimited" ? Number.MAX_SAFE_INTEGER : queue, queueTimeoutMs };
}

/** Label `waggle.host-header`: the Host that tasks get instead of the client's. */
function hostHeaderOf(labels: Labels): string | undefined {
  const text = labels[labelNames.hostHeader];
  if (text === undefined || isAuthority(text)) return text;
  throw invalidLabel(
    `label '${labelNames.hostHeader}' is '${text}': write a host name with or without a port, such as app.internal:8080`,
  );
}

/** Label `waggle.queue`: how many requests may wait; `unlimited` as in HAProxy, whose queue has no maximum. */
function queueOf(labels: Labels): number | "unlimited" | undefined {
  const text = labels[labelNames.queue];
  if (text === "unlimited") return text;
  if (text === undefined || /^\d+$/.test(text)) return labelCount(labels, labelNames.queue, 0);
  throw invalidLabel(`label '${labelNames.queue}' is '${text}': write a whole number from 0, or unlimited`);
}

/** Label `waggle.allbackups`: true if all backups share the requests, false if the first one gets them. */
export function usesAllBackups(labels: Labels): boolean {
  return labelBoolean(labels, labelNames.allBackups) ?? true;
}

/**
 * The rules of labels `waggle.weight` and `waggle.backup`.
 *
 * @see docs/decisions/0023-weights-by-condition.md
 */
export function shareRulesOf(labels: Labels): ShareRules {
  const weights = listItems(labels[labelNames.weight]).map((item) => {
    const colon = item.lastIndexOf(":");
    const weight = item.slice(colon + 1).trim();
    if (!/^\d{1,3}$/.test(weight) || Number(weight) > maxWeight) {
      throw invalidLabel(
        `label '${labelNames.weight}' has '${item}': write CONDITION:WEIGHT such as node.labels.size==large:4 or slot==1:0, with weights from 0 to ${maxWeight}`,
      );
    }
    return {
      when: colon < 0 ? ("always" as const) : conditionOf(labelNames.weight, item.slice(0, colon)),
      weight: Number(weight),
    };
  });
  return {
    weights,
    backups: listItems(labels[labelNames.backup]).map((item) => conditionOf(labelNames.backup, item)),
  };
}

/** The weight of a task on a node, and whether it is a backup. */
export function shareOf(
  { weights, backups }: ShareRules,
  { slot }: Pick<Task, "slot">,
  node: MeshNode | undefined,
): Share {
  const weight = weights.find(({ when }) => holdsForTask(when, slot, node))?.weight ?? 1;
  return backups.some((when) => holdsForTask(when, slot, node)) ? { weight, backup: true } : { weight };
}

function holdsForTask(when: TaskCondition, slot: number, node: MeshNode | undefined): boolean {
  if (when === "always") return true;
  if ("slot" in when) return (when.slot === slot) === when.equal;
  return node !== undefined && nodeMatches([when.constraint], node);
}

function conditionOf(label: string, text: string): TaskCondition {
  const [, operator, slot] = /^\s*slot\s*(==|!=)\s*(\d{1,5})\s*$/.exec(text) ?? [];
  if (slot !== undefined) return { slot: Number(slot), equal: operator === "==" };
  try {
    return { constraint: parseConstraint(text) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalidLabel(`label '${label}' has '${text.trim()}': ${why}; or slot==N`);
  }
}

function canaryOf(labels: Labels): Canary | undefined {
  const service = labels[labelNames.canary];
  if (service === undefined) return undefined;
  if (!isServiceName(service)) {
    throw invalidLabel(`label '${labelNames.canary}' is '${service}': write a service name`);
  }
  const text = labels[labelNames.canaryWeight] ?? "0";
  const percent = Number(text.replace(/%$/, ""));
  if (!/^\d{1,3}%?$/.test(text) || percent > 100) {
    throw invalidLabel(
      `label '${labelNames.canaryWeight}' is '${text}': write a share of the requests from 0% to 100%`,
    );
  }
  const header = canaryRuleOf(labels, labelNames.canaryHeader, "header");
  const cookie = canaryRuleOf(labels, labelNames.canaryCookie, "cookie");
  return {
    service,
    percent,
    ...(header !== undefined && { header: { ...header, name: header.name.toLowerCase() } }),
    ...(cookie !== undefined && { cookie }),
  };
}

function canaryRuleOf(labels: Labels, label: string, field: "header" | "cookie"): CanaryRule | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  if (!isToken(name) || value === "") {
    throw invalidLabel(`label '${label}' is '${text}': write a ${field} name, or NAME=VALUE`);
  }
  return value === undefined ? { name } : { name, value };
}

function listItems(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(",").map((item) => item.trim());
}
