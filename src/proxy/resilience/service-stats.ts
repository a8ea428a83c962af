// What this isolate has seen of a service's requests recently: it decides whether one may be sent a second time.

import { Budget, hedgeBudget, retryBudget } from "./budget.ts";
import { ServiceLatency } from "./latency.ts";

export type ServiceStats = {
  readonly retries: Budget;
  readonly hedges: Budget;
  readonly latency: ServiceLatency;
};

/** The stats of each service by its id. Read it with `get`, and add a service that is not in it yet. */
export type StatsByService = Map<string, ServiceStats>;

/** Services kept at most. Beyond that all start again, which costs a moment without knowledge. */
const maxServices = 5_000;

export function addServiceStats(stats: StatsByService, serviceId: string): ServiceStats {
  if (stats.size >= maxServices) stats.clear();
  const added = {
    retries: new Budget(retryBudget),
    hedges: new Budget(hedgeBudget),
    latency: new ServiceLatency(),
  };
  stats.set(serviceId, added);
  return added;
}
