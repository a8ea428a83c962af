// What this isolate has seen of a service's requests recently: it decides whether one may be sent a second time.

import { Budget, hedgeBudget, retryBudget } from "./budget.ts";
import { ServiceLatency } from "./latency.ts";

export type ServiceStats = {
  readonly retries: Budget;
  readonly hedges: Budget;
  readonly latency: ServiceLatency;
};

/** Services kept at most. Beyond that all start again, which costs a moment without knowledge. */
const maxServices = 5_000;

export class AllServiceStats {
  readonly #byService = new Map<string, ServiceStats>();

  of(serviceId: string): ServiceStats {
    const known = this.#byService.get(serviceId);
    if (known !== undefined) return known;
    if (this.#byService.size >= maxServices) this.#byService.clear();
    const stats = {
      retries: new Budget(retryBudget),
      hedges: new Budget(hedgeBudget),
      latency: new ServiceLatency(),
    };
    this.#byService.set(serviceId, stats);
    return stats;
  }
}
