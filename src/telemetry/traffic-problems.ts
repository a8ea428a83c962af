// Troubles of traffic: services whose requests fail now, in words.

import type { ServiceTraffic } from "./snapshot.ts";
import type { TrafficWindow } from "./traffic-window.ts";

export type TrafficProblem = {
  readonly serviceId: string;
  /** `service my-web`. */
  readonly what: string;
  readonly why: string;
  /** What to do about it, a sentence. */
  readonly next: string;
  /** Most requests fail: clients see an outage, whatever checks say. */
  readonly isOutage: boolean;
};

/** Fewer failures than this within seconds are a hiccup, not a trouble. */
const minFailedRequests = 5;
const problemErrorRatio = 0.05;
const outageErrorRatio = 0.5;

/** Worst first. */
export function trafficProblems(
  services: readonly Pick<ServiceTraffic, "id" | "name" | "recent">[],
): readonly TrafficProblem[] {
  return services
    .flatMap(({ id, name, recent }) =>
      recent !== null && isFailing(recent) ? { id, name, recent, share: errorRatioOf(recent) } : [],
    )
    .sort((a, b) => b.share - a.share)
    .map(({ id, name, recent, share }) => ({
      serviceId: id,
      what: `service ${name}`,
      why: `${Math.round(share * 100)} % of its requests fail: ${recent.failed} of ${recent.requests} in the last ${Math.round(recent.seconds)} s`,
      next: "See which task fails them, and from where: its page, or `waggle top`; `waggle trace URL` shows one request's way.",
      isOutage: share >= outageErrorRatio,
    }));
}

function isFailing(recent: TrafficWindow): boolean {
  return recent.failed >= minFailedRequests && errorRatioOf(recent) >= problemErrorRatio;
}

function errorRatioOf({ failed, requests }: TrafficWindow): number {
  return requests === 0 ? 0 : Math.min(1, failed / requests);
}
