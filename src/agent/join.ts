// Joining: registers this machine as a node of the mesh and returns the node's credential.

import { MeshError } from "../domain/model/error.ts";
import { JoinReply, type NodeDescription, protocolVersion } from "../protocol/agent.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import { wait } from "./wait.ts";

/** Timeout of one join request. */
const joinTimeoutMs = 10_000;

type JoinOptions = {
  readonly url: string;
  readonly token: string;
  readonly node: NodeDescription;
  readonly random: () => number;
  readonly log: (line: string) => void;
};

/**
 * The URL of a route under the control URL, which may end in a slash or not.
 *
 * @throws MeshError url/invalid
 */
export function routeUrl(url: string, route: string): URL {
  try {
    const base = new URL(url.endsWith("/") ? url : `${url}/`);
    if (base.protocol === "http:" || base.protocol === "https:") return new URL(route, base);
  } catch {
    // Reported below.
  }
  throw new MeshError(
    "url/invalid",
    `cannot read the control URL "${url}": write it as https://control.example.com or http://127.0.0.1:8787`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * Joins the mesh. Retries while the registry cannot be reached, and logs the reason each time it changes.
 *
 * @returns null if `signal` aborts first
 * @throws MeshError if retrying cannot help: a bad token, a refused address, a URL of another server
 */
export async function joinMesh(options: JoinOptions, signal: AbortSignal): Promise<JoinReply | null> {
  const target = routeUrl(options.url, "mesh/join");
  let loggedReason = "";
  for (let failures = 1; !signal.aborted; failures++) {
    const attempt = await tryJoin(target, options, signal);
    if ("reply" in attempt) return attempt.reply;
    if (signal.aborted) return null;
    if (attempt.reason !== loggedReason) options.log(`cannot join yet: ${attempt.reason}; retrying`);
    loggedReason = attempt.reason;
    await wait(jitteredBackoffMs(failures, options.random()), signal);
  }
  return null;
}

type JoinAttempt = { readonly reply: JoinReply } | { readonly reason: string };

async function tryJoin(target: URL, options: JoinOptions, signal: AbortSignal): Promise<JoinAttempt> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ protocol: protocolVersion, token: options.token, node: options.node }),
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(joinTimeoutMs)]),
    });
    text = await response.text();
  } catch (error) {
    return { reason: `cannot reach the registry at ${target.origin}: ${causeOf(error)}` };
  }
  if (response.ok) return { reply: readReply(target, text) };
  const message = messageOf(text) || `status ${response.status}`;
  if (canRetryJoin(response.status))
    return { reason: `${target.origin} responded with ${response.status}: ${message}` };
  throw joinRefusal(target, response.status, message);
}

/** True if a refusal is temporary. 409: a node of this name is up, or not yet known to be down. */
function canRetryJoin(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

function joinRefusal(target: URL, status: number, message: string): MeshError {
  const details = { blame: "operator", retry: "never" } as const;
  if (status === 401 || status === 403) {
    return new MeshError(
      "join/unauthorized",
      `the join token was refused (${message}); print the current one with: waggle join-token (or docker swarm join-token worker)`,
      details,
    );
  }
  if (status === 404 || status === 405) {
    return new MeshError(
      "join/not-found",
      `${target.origin} responded with ${status} to POST ${target.pathname}: this is not the control URL of a mesh`,
      details,
    );
  }
  return new MeshError("join/invalid", `${target.origin} refused this node: ${message}`, details);
}

function readReply(target: URL, text: string): JoinReply {
  try {
    return JoinReply.parse(JSON.parse(text));
  } catch (cause) {
    throw new MeshError(
      "join/invalid",
      `cannot read the response of ${target.href} ("${text.slice(0, 80)}"): is this the control URL of a mesh?`,
      { blame: "operator", retry: "never", cause },
    );
  }
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message.slice(0, 300) : "";
  } catch {
    return "";
  }
}

/** The message of a failed fetch. The error itself only says "fetch failed"; its cause has the reason. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no response within ${joinTimeoutMs / 1000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
