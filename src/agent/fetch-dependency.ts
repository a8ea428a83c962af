// Gets the data of a secret or config from the registry, which gives it only to a node with a task that reads it.

import type { DependencyRef } from "../domain/model/dependency.ts";
import { DependencyReply, type JoinReply, protocolVersion } from "../protocol/agent.ts";
import { routeUrl } from "./join.ts";

export type FetchDependency = (ref: DependencyRef, signal: AbortSignal) => Promise<FetchedDependency>;

type FetchedDependency =
  | { readonly ok: true; readonly data: Buffer }
  | { readonly ok: false; readonly reason: string; readonly retry?: true };

const timeoutMs = 10_000;

/** @param url the control URL of the mesh */
export async function fetchDependency(
  { kind, id, name }: DependencyRef,
  { url, membership }: { readonly url: string; readonly membership: JoinReply },
  signal: AbortSignal,
): Promise<FetchedDependency> {
  const failed = (why: string) => `cannot get ${kind} ${name} from the registry: ${why}`;
  try {
    const response = await fetch(routeUrl(url, `mesh/agent/dependencies/${encodeURIComponent(id)}`), {
      headers: {
        authorization: `Bearer ${membership.credential}`,
        "x-waggle-node": membership.nodeId,
        "x-waggle-protocol": String(protocolVersion),
      },
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    if (response.ok) {
      const { data } = DependencyReply.parse(await response.json());
      return { ok: true, data: Buffer.from(data, "base64") };
    }
    const { message = "" } = (await response.json().catch(() => ({}))) as { readonly message?: unknown };
    const reason = failed(`${String(message).slice(0, 300) || `status ${response.status}`}`);
    return response.status >= 500 || response.status === 429
      ? { ok: false, reason, retry: true }
      : { ok: false, reason };
  } catch (error) {
    // The error of a reply that cannot be read may quote it.
    const why =
      error instanceof TypeError || error instanceof DOMException
        ? causeOf(error)
        : "its reply cannot be read";
    return { ok: false, reason: failed(why), retry: true };
  }
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
