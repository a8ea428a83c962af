// Joining: a machine becomes a node of the mesh, once; the credential it gets is kept in its state folder.

import { MeshError } from "../domain/model/error.ts";
import { JoinReply, type NodeDescription, protocolVersion } from "../protocol/agent.ts";
import { jitteredBackoffMs } from "./backoff.ts";
import { wait } from "./wait.ts";

/** A registry that accepts the connection and then says nothing is given up on after this. */
const joinTimeoutMs = 10_000;

type JoinOptions = {
  readonly url: string;
  readonly token: string;
  readonly node: NodeDescription;
  readonly random: () => number;
  readonly log: (line: string) => void;
};

/** Where a route of the control URL is, whether or not the URL ends in a slash. */
export function routeUrl(url: string, route: string): URL {
  try {
    const base = new URL(url.endsWith("/") ? url : `${url}/`);
    if (base.protocol === "http:" || base.protocol === "https:") return new URL(route, base);
  } catch {
    // Said below.
  }
  throw new MeshError(
    "url/invalid",
    `cannot read the control URL "${url}": write it as https://control.example.com or http://127.0.0.1:8787`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * Joins the mesh. Keeps trying while the registry is out of reach, and says why each time the reason changes.
 *
 * @returns null when `signal` aborted first
 * @throws MeshError when trying again cannot help: a bad token, an address the mesh refuses, a URL of something else
 */
export async function joinMesh(input: JoinOptions, signal: AbortSignal): Promise<JoinReply | null> {
  const target = routeUrl(input.url, "mesh/join");
  let said = "";
  for (let failures = 1; !signal.aborted; failures++) {
    const tried = await tryJoin(target, input, signal);
    if ("reply" in tried) return tried.reply;
    if (signal.aborted) return null;
    if (tried.why !== said) input.log(`cannot join yet: ${tried.why}; trying again until it works`);
    said = tried.why;
    await wait(jitteredBackoffMs(failures, input.random()), signal);
  }
  return null;
}

type JoinAttempt = { readonly reply: JoinReply } | { readonly why: string };

async function tryJoin(target: URL, input: JoinOptions, signal: AbortSignal): Promise<JoinAttempt> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ protocol: protocolVersion, token: input.token, node: input.node }),
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(joinTimeoutMs)]),
    });
    text = await response.text();
  } catch (error) {
    return { why: `the registry at ${target.origin} is out of reach: ${causeOf(error)}` };
  }
  if (response.ok) return { reply: readReply(target, text) };
  const message = messageOf(text) || `status ${response.status}`;
  if (canRetryJoin(response.status))
    return { why: `${target.origin} answered ${response.status}: ${message}` };
  throw joinRefusal(target, response.status, message);
}

/** 409: another node of this name is still up, until its missed beats tell. */
function canRetryJoin(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

function joinRefusal(target: URL, status: number, message: string): MeshError {
  const facts = { blame: "operator", retry: "never" } as const;
  if (status === 401 || status === 403) {
    return new MeshError(
      "join/unauthorized",
      `the join token was refused (${message}); print the one in force with: waggle join-token (or docker swarm join-token worker)`,
      facts,
    );
  }
  if (status === 404 || status === 405) {
    return new MeshError(
      "join/not-found",
      `${target.origin} answered ${status} to POST ${target.pathname}: this is not the control URL of a mesh`,
      facts,
    );
  }
  return new MeshError("join/invalid", `${target.origin} refused this node: ${message}`, facts);
}

function readReply(target: URL, text: string): JoinReply {
  try {
    return JoinReply.parse(JSON.parse(text));
  } catch (cause) {
    throw new MeshError(
      "join/invalid",
      `cannot read what ${target.href} answered ("${text.slice(0, 80)}"): is this the control URL of a mesh?`,
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

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${joinTimeoutMs / 1000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
