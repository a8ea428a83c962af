// Recent statistics of a service in this isolate: its retry and hedge budgets, its response times, and which
// of its targets are silent.

import { Budget, hedgeBudget, retryBudget } from "./budget.ts";
import { ServiceLatency } from "./latency.ts";
import type { SilenceByTarget } from "./silence.ts";

export type ServiceStats = {
  readonly retries: Budget;
  readonly hedges: Budget;
  readonly latency: ServiceLatency;
  readonly silences: SilenceByTarget;
};

/** The stats of each service by its id. Callers use `get`, and `addServiceStats` for a missing service. */
export type StatsByService = Map<string, ServiceStats>;

/** Maximum services kept. One more clears all: budgets and response times start again. */
const maxServices = 5_000;

export function addServiceStats(stats: StatsByService, serviceId: string): ServiceStats {
  if (stats.size >= maxServices) stats.clear();
  const added = {
    retries: new Budget(retryBudget),
    hedges: new Budget(hedgeBudget),
    latency: new ServiceLatency(),
    silences: new Map(),
  };
  stats.set(serviceId, added);
  return added;
}
