// A service's traffic as this isolate has seen it lately: what decides whether a request may be asked twice.

import { Budget, hedgeBudget, retryBudget } from "./budget.ts";
import { Latency } from "./latency.ts";

export type ServiceTraffic = { readonly retries: Budget; readonly hedges: Budget; readonly latency: Latency };

/** Services kept at most; beyond, all start anew, which costs a moment of knowing nothing. */
const maxServices = 5_000;

export class Traffic {
  readonly #services = new Map<string, ServiceTraffic>();

  of(serviceId: string): ServiceTraffic {
    const known = this.#services.get(serviceId);
    if (known !== undefined) return known;
    if (this.#services.size >= maxServices) this.#services.clear();
    const made = {
      retries: new Budget(retryBudget),
      hedges: new Budget(hedgeBudget),
      latency: new Latency(),
    };
    this.#services.set(serviceId, made);
    return made;
  }
}
