// A service's traffic as this isolate has seen it lately: what decides whether a request may be asked twice.

import { Budget, hedgeBudget, retryBudget } from "./budget.ts";
import { ServiceLatency } from "./latency.ts";

export type ServiceStats = {
  readonly retries: Budget;
  readonly hedges: Budget;
  readonly latency: ServiceLatency;
};

/** Services kept at most; beyond, all start anew, which costs a moment of knowing nothing. */
const maxServices = 5_000;

export class AllServiceStats {
  readonly #services = new Map<string, ServiceStats>();

  of(serviceId: string): ServiceStats {
    const known = this.#services.get(serviceId);
    if (known !== undefined) return known;
    if (this.#services.size >= maxServices) this.#services.clear();
    const made = {
      retries: new Budget(retryBudget),
      hedges: new Budget(hedgeBudget),
      latency: new ServiceLatency(),
    };
    this.#services.set(serviceId, made);
    return made;
  }
}
