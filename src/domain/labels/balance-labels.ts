// How a service's requests are balanced, as its `waggle.*` labels say it: what the routing table has in its options, and
// in the shares of its tasks. docs/labels.md explains each to those who write them.

import { type Constraint, nodeMatches, parseConstraint } from "../model/constraint.ts";
import { isToken } from "../model/http-token.ts";
import type { MeshNode } from "../model/node.ts";
import type { Task } from "../model/task.ts";
import { type Policy, policyWords, readPolicy } from "../table/policy.ts";
import type { Canary, CanaryRule, Share, TableOptions } from "../table/table.ts";
import { invalidLabel, isServiceName, type Labels } from "./label.ts";

const labelNames = {
  balance: "waggle.balance",
  sticky: "waggle.sticky",
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

/** All labels read here. */
export const balanceLabels: readonly string[] = Object.values(labelNames);

/** HAProxy's largest. */
const maxWeight = 256;
const maxLabelCount = 1_000_000;
/** As long as a day; HAProxy's own bound is some three weeks. */
const maxLabelDurationMs = 86_400_000;

/** A condition on a task: where it runs, or which slot it fills. */
type TaskCondition =
  | { readonly slot: number; readonly equal: boolean }
  | { readonly constraint: Constraint }
  | "always";

/** Which of a service's tasks have which weight, and which are backups. */
export type ShareRules = {
  /** The first that holds decides; a task that none holds for has weight 1. */
  readonly weights: readonly { readonly when: TaskCondition; readonly weight: number }[];
  /** Any of them makes a task a backup. */
  readonly backups: readonly TaskCondition[];
};

/** Throws a MeshError when one of these labels cannot be read, or two do not go together. */
export function checkBalanceLabels(labels: Labels): void {
  balancePolicyOf(labels);
  shareRulesOf(labels);
  usesAllBackups(labels);
  optionsOf(labels);
  for (const name of [labelNames.queue, labelNames.queueTimeout]) {
    if (labels[name] !== undefined && labels[labelNames.maxconn] === undefined) {
      throw invalidLabel(
        `label '${name}' needs '${labelNames.maxconn}': nobody waits where nothing is limited`,
      );
    }
  }
  for (const name of [labelNames.canaryWeight, labelNames.canaryHeader, labelNames.canaryCookie]) {
    if (labels[name] !== undefined && labels[labelNames.canary] === undefined) {
      throw invalidLabel(
        `label '${name}' needs '${labelNames.canary}': the name of the service that gets a share`,
      );
    }
  }
}

/** Label `waggle.balance`; `path` is another word for `uri`. */
export function balancePolicyOf(labels: Labels): Policy {
  const text = labels[labelNames.balance];
  if (text === undefined) return "roundrobin";
  const policy = readPolicy(text === "path" ? "uri" : text);
  if (policy === null) throw invalidLabel(`label '${labelNames.balance}' is '${text}': write ${policyWords}`);
  return policy;
}

/** What else the table says of the service; null when nothing. */
export function optionsOf(labels: Labels): TableOptions | null {
  const sticky = labels[labelNames.sticky];
  if (sticky !== undefined && !isToken(sticky)) {
    throw invalidLabel(`label '${labelNames.sticky}' is '${sticky}': write the name of a cookie`);
  }
  const maxconn = labelCount(labels, labelNames.maxconn, 1);
  const queue = labelCount(labels, labelNames.queue, 0);
  const queueTimeoutMs = labelDurationMs(labels, labelNames.queueTimeout);
  const slowStartMs = labelDurationMs(labels, labelNames.slowStart);
  const marker = labels[labelNames.marker];
  if (marker !== undefined && !isToken(marker)) {
    throw invalidLabel(`label '${labelNames.marker}' is '${marker}': write the name of a header`);
  }
  const canary = canaryOf(labels);
  const options: TableOptions = {
    ...(sticky !== undefined && { sticky }),
    ...(maxconn !== undefined && { maxconn }),
    ...(queue !== undefined && { queue }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(slowStartMs !== undefined && { slowStartMs }),
    ...(marker !== undefined && { marker: marker.toLowerCase() }),
    ...(canary !== undefined && { canary }),
  };
  return Object.keys(options).length === 0 ? null : options;
}

/** Label `waggle.allbackups`: whether backups share the requests when they are needed, or the first of them has all. */
export function usesAllBackups(labels: Labels): boolean {
  const text = labels[labelNames.allBackups];
  if (text === undefined || text === "true") return true;
  if (text === "false") return false;
  throw invalidLabel(`label '${labelNames.allBackups}' is '${text}': write true or false`);
}

/** Labels `waggle.weight` and `waggle.backup`. */
export function shareRulesOf(labels: Labels): ShareRules {
  const weights = listItems(labels[labelNames.weight]).map((item) => {
    const colon = item.lastIndexOf(":");
    const weight = item.slice(colon + 1).trim();
    if (!/^\d{1,3}$/.test(weight) || Number(weight) > maxWeight) {
      throw invalidLabel(
        `label '${labelNames.weight}' has '${item}': write CONDITION:WEIGHT as node.labels.size==large:4 or slot==1:0, weights from 0 to ${maxWeight}`,
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

/** A task's share; `node` is where it runs. */
export function shareOf(shares: ShareRules, { slot }: Pick<Task, "slot">, node: MeshNode | undefined): Share {
  const weight = shares.weights.find(({ when }) => holdsForTask(when, slot, node))?.weight ?? 1;
  return shares.backups.some((when) => holdsForTask(when, slot, node))
    ? { weight, backup: true }
    : { weight };
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
    throw invalidLabel(`label '${labelNames.canary}' is '${service}': write the name of a service`);
  }
  const text = labels[labelNames.canaryWeight] ?? "0";
  const percent = Number(text.replace(/%$/, ""));
  if (!/^\d{1,3}%?$/.test(text) || percent > 100) {
    throw invalidLabel(
      `label '${labelNames.canaryWeight}' is '${text}': write a share of the requests, 0% to 100%`,
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

function canaryRuleOf(labels: Labels, label: string, what: string): CanaryRule | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  if (!isToken(name) || value === "") {
    throw invalidLabel(`label '${label}' is '${text}': write the ${what}'s name, or NAME=VALUE`);
  }
  return value === undefined ? { name } : { name, value };
}

function listItems(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(",").map((item) => item.trim());
}

function labelCount(labels: Labels, label: string, least: number): number | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= least && count <= maxLabelCount) return count;
  throw invalidLabel(`label '${label}' is '${text}': write a whole number from ${least} to ${maxLabelCount}`);
}

const labelUnitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** As HAProxy reads a time: `30s`, `500ms`; without a unit, milliseconds. */
function labelDurationMs(labels: Labels, label: string): number | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const [, digits = "", unit = "ms"] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(digits) * (labelUnitMs[unit] ?? 1);
  if (digits !== "" && ms >= 1 && ms <= maxLabelDurationMs) return ms;
  throw invalidLabel(`label '${label}' is '${text}': write a time as 500ms, 30s or 5m, up to 24h`);
}
