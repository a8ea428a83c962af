// The policy in force for a service's update or rollback, with defaults filled in.

import type { Service, UpdatePolicy } from "../model/service.ts";

/** SwarmKit's monitor period, milliseconds. */
const defaultMonitorMs = 5_000;
/** A monitor period that does not exceed the delay becomes the delay plus this, as in SwarmKit. */
const monitorMarginMs = 1_000;
/**
 * Shortest monitor period, milliseconds. The Docker CLI stops watching at `completed`, and must have seen all
 * tasks running before that.
 */
export const minMonitorMs = 1_000;

/** The policy of a rollback without one of its own. */
export const defaultRollback: UpdatePolicy = { parallelism: 1, order: "start-first" };

type PolicyInForce = Required<UpdatePolicy> & {
  /** How long a task must run to prove its spec: the monitor period, which a longer delay does not extend. */
  readonly trialMs: number;
};

/** The rollback policy during a rollback, else the update policy. */
export function updatePolicyOf(service: Service): PolicyInForce {
  const isRollback = service.update?.state.startsWith("rollback") === true;
  const policy = isRollback ? (service.spec.rollback ?? defaultRollback) : service.spec.update;
  const { delayMs = 0 } = policy;
  const trialMs = Math.max(policy.monitorMs ?? defaultMonitorMs, minMonitorMs);
  return {
    ...policy,
    delayMs,
    trialMs,
    monitorMs: delayMs >= trialMs ? delayMs + monitorMarginMs : trialMs,
    maxFailureRatio: policy.maxFailureRatio ?? 0,
    failureAction: policy.failureAction ?? "pause",
  };
}
