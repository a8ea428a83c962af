// The limits of listeners: the size of a request head, and times.

import type { AttemptOptions } from "../domain/table/attempt-options.ts";
import { bodyWatch, type Limits } from "../proxy/limits.ts";

/** Limit of a request head. Node.js and HAProxy default to 16 KiB; the cookies of some sites need more. */
export const maxHeaderBytes = 64 * 1024;

/** Times in milliseconds. */
export type ListenerTimeouts = {
  /** For a request head, from its first byte or from the connection (HAProxy `timeout http-request`). */
  readonly headMs: number;
  /** Of a connection between two requests (HAProxy `timeout http-keep-alive`). */
  readonly keepAliveMs: number;
  /**
   * Without a byte of the body, or without reading a byte of the response (HAProxy `timeout client`). A longer
   * time for bodies can be set: see `longestBodyTimeoutMs`.
   */
  readonly clientMs: number;
};

export const defaultTimeouts: ListenerTimeouts = { headMs: 15_000, keepAliveMs: 60_000, clientMs: 30_000 };

/**
 * Longest time without a byte of a body, milliseconds; Infinity: any. A listener does not know which service a
 * request is for, so the longest of all services applies; the data plane applies the service's own.
 *
 * @param limits those of the data plane
 * @param services the options of all services
 */
export function longestBodyTimeoutMs(
  limits: Pick<Limits, "bodyTimeoutMs">,
  services: readonly AttemptOptions[],
): number {
  const times = [{}, ...services].map((options) => bodyWatch(limits, options).stallMs);
  return Math.max(defaultTimeouts.clientMs, ...times);
}
