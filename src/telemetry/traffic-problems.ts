// Failing traffic: whether the requests of a service, or the attempts at one of its targets, fail now.

import type { ServiceTraffic, TrafficMetrics } from "./snapshot.ts";
import type { ErrorWindow, TrafficWindow } from "./traffic-window.ts";

/** A task or a static server that fails its attempts. */
type FailingTarget = {
  readonly id: string;
  readonly name: string;
  /** `80 % of its attempts fail: 8 of 10 in the last 60 s`. */
  readonly why: string;
};

export type FailingService = {
  readonly serviceId: string;
  /** `50 % of its requests fail: 20 of 40 in the last 20 s`; null if its requests succeed, after retries. */
  readonly why: string | null;
  /** Most requests fail: an outage for clients, whatever checks say. */
  readonly isOutage: boolean;
  /** All requests fail. */
  readonly isTotal: boolean;
  /** Empty if the snapshot has no tasks. */
  readonly targets: readonly FailingTarget[];
};

/** The traffic of a service as far as it is judged. */
export type JudgedTraffic = Pick<ServiceTraffic, "id" | "recent"> & {
  readonly tasks?: readonly (Pick<TrafficMetrics, "recent"> & {
    readonly id: string;
    readonly name: string;
  })[];
};

/** Fewer failures than this are not reported. */
const minFailedRequests = 5;
const problemErrorRatio = 0.05;
const outageErrorRatio = 0.5;
/** An outage is reported from so many current requests, before the longer window shows it. */
const minOutageRequests = 10;

/** The services that fail requests, or have a target that fails its attempts; worst first. */
export function failingServices(services: readonly JudgedTraffic[]): readonly FailingService[] {
  return services
    .flatMap(({ id, recent, tasks = [] }) => {
      const targets = tasks.flatMap((task) =>
        isFailing(task.recent)
          ? { id: task.id, name: task.name, why: whyFailing(task.recent, "attempts") }
          : [],
      );
      const isFailingService = isFailing(recent);
      if (!isFailingService && targets.length === 0) return [];
      const errors = errorsOf(recent);
      const why = isFailingService ? whyFailing(recent, "requests") : null;
      const isTotal = why !== null && errors.failed >= errors.requests;
      return { serviceId: id, why, isOutage: why !== null && isOutage(recent), isTotal, targets, errors };
    })
    .sort((a, b) => Number(b.isOutage) - Number(a.isOutage) || ratioOf(b.errors) - ratioOf(a.errors))
    .map(({ errors: _, ...service }) => service);
}

/** True if a sustained share of the requests fails: one error of two requests is no alarm. */
export function isFailing(recent: TrafficWindow | null | undefined): boolean {
  const errors = errorsOf(recent);
  return errors.failed >= minFailedRequests && ratioOf(errors) >= problemErrorRatio;
}

function isOutage(recent: TrafficWindow | null): boolean {
  const isCurrent =
    recent !== null && recent.requests >= minOutageRequests && ratioOf(recent) >= outageErrorRatio;
  return isCurrent || ratioOf(errorsOf(recent)) >= outageErrorRatio;
}

function whyFailing(recent: TrafficWindow | null, noun: "requests" | "attempts"): string {
  const errors = errorsOf(recent);
  const { failed, requests, seconds } = errors;
  return `${Math.round(ratioOf(errors) * 100)} % of its ${noun} fail: ${failed} of ${requests} in the last ${timeText(seconds)}`;
}

const nothing: ErrorWindow = { seconds: 0, requests: 0, failed: 0 };

function errorsOf(recent: TrafficWindow | null | undefined): ErrorWindow {
  return recent?.errors ?? recent ?? nothing;
}

function ratioOf({ failed, requests }: Pick<ErrorWindow, "failed" | "requests">): number {
  return requests === 0 ? 0 : Math.min(1, failed / requests);
}

/** `20 s`, `3 min`. */
function timeText(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
