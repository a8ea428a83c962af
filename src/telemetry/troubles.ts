// Troubles of traffic: services whose requests fail now, in words.

import type { Recent } from "./recent.ts";
import type { ServiceTraffic } from "./snapshot.ts";

export type TrafficTrouble = {
  readonly serviceId: string;
  /** `service my-web`. */
  readonly what: string;
  readonly why: string;
  /** What to do about it, a sentence. */
  readonly next: string;
  /** Most requests fail: clients see an outage, whatever checks say. */
  readonly grave: boolean;
};

/** Fewer failures than this within seconds are a hiccup, not a trouble. */
const leastFailed = 5;
const troubleShare = 0.05;
const graveShare = 0.5;

/** Worst first. */
export function trafficTroubles(
  services: readonly Pick<ServiceTraffic, "id" | "name" | "recent">[],
): readonly TrafficTrouble[] {
  return services
    .flatMap(({ id, name, recent }) =>
      recent !== null && fails(recent) ? { id, name, recent, share: shareOf(recent) } : [],
    )
    .sort((a, b) => b.share - a.share)
    .map(({ id, name, recent, share }) => ({
      serviceId: id,
      what: `service ${name}`,
      why: `${Math.round(share * 100)} % of its requests fail: ${recent.failed} of ${recent.requests} in the last ${Math.round(recent.seconds)} s`,
      next: "See which task fails them, and from where: its page, or `waggle top`; `waggle trace URL` shows one request's way.",
      grave: share >= graveShare,
    }));
}

function fails(recent: Recent): boolean {
  return recent.failed >= leastFailed && shareOf(recent) >= troubleShare;
}

function shareOf({ failed, requests }: Recent): number {
  return requests === 0 ? 0 : Math.min(1, failed / requests);
}
