// Traffic problems: services whose requests fail now, in words.

import type { ServiceTraffic } from "./snapshot.ts";
import type { TrafficWindow } from "./traffic-window.ts";

type TrafficProblem = {
  readonly serviceId: string;
  /** `service my-web`. */
  readonly what: string;
  readonly why: string;
  /** The next step, as a sentence. */
  readonly next: string;
  /** Most requests fail: an outage for clients, whatever checks say. */
  readonly isOutage: boolean;
  /** All requests fail. */
  readonly isTotal: boolean;
};

/** Fewer failures than this are not reported. */
const minFailedRequests = 5;
const problemErrorRatio = 0.05;
const outageErrorRatio = 0.5;

/** Worst first. */
export function trafficProblems(
  services: readonly Pick<ServiceTraffic, "id" | "name" | "recent">[],
): readonly TrafficProblem[] {
  return services
    .flatMap(({ id, name, recent }) =>
      recent !== null && isFailing(recent) ? { id, name, recent, errorRatio: errorRatioOf(recent) } : [],
    )
    .sort((a, b) => b.errorRatio - a.errorRatio)
    .map(({ id, name, recent, errorRatio }) => ({
      serviceId: id,
      what: `service ${name}`,
      why: `${Math.round(errorRatio * 100)} % of its requests fail: ${recent.failed} of ${recent.requests} in the last ${Math.round(recent.seconds)} s`,
      next: "Find the task that fails them, and from where, on its page or with `waggle top`; `waggle trace URL` follows one request.",
      isOutage: errorRatio >= outageErrorRatio,
      isTotal: errorRatio === 1,
    }));
}

function isFailing(recent: TrafficWindow): boolean {
  return recent.failed >= minFailedRequests && errorRatioOf(recent) >= problemErrorRatio;
}

function errorRatioOf({ failed, requests }: TrafficWindow): number {
  return requests === 0 ? 0 : Math.min(1, failed / requests);
}
