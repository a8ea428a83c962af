// The wire between the data plane and a gateway: the headers of an attempt, and the text that its proof
// authenticates.
//
//   GET / HTTP/1.1
//   x-waggle-attempt: 1 k7f2a9 9xk2…b 80 p3v9….4f 1764331200000 once JUQx…
//   x-waggle-target: /cart?item=7
//   x-waggle-host: www.example.com
//
// The URL, the method and the other headers are as the transport needs them; the gateway sends a task the
// target, the host and, if it is there, the method of these headers. Its response has a mark that only a
// holder of the node's key can make:
//
//   x-waggle-gateway: task Wm90…
//
// A proof is the first half of an HMAC-SHA-256, the mark is the second half. A reader of the request cannot
// make the mark, and cannot make either for another node, because each node has a key of its own. Neither
// reveals a secret, so the headers may cross a network in clear text; an attempt that is sent again is refused.

/** The request header with the attempt. Lower case, as all names here. */
export const attemptHeader = "x-waggle-attempt";
/** The request header with the path and query that the task gets, or `*`. */
export const targetHeader = "x-waggle-target";
/** The request header with the Host that the task gets; absent: none. */
export const hostHeader = "x-waggle-host";
/** The request header with the method that the task gets, if the transport cannot carry it. */
export const methodHeader = "x-waggle-method";
/** The response header of a gateway. */
export const gatewayHeader = "x-waggle-gateway";

/** Headers that begin so end at the gateway, in both directions, except the loop marks in a request. */
export const ownHeaderPrefix = "x-waggle-";

/** The header with the loop marks, which tasks pass on; see src/proxy/http/loop-marks.ts. */
export const loopHeader = "x-waggle-loop";

/** The TCP port of a gateway, unless the agent has an option for another. */
export const defaultGatewayPort = 7946;

/** An attempt counts for so long before and after its time, by the gateway's clock. Milliseconds. */
export const attemptWindowMs = 30_000;

/**
 * What the gateway does:
 * - `once`: sends the request to the task on a new connection, because it may not be repeated;
 * - `repeat`: sends the request to the task;
 * - `reserve`: connects to the task, and keeps the connection for the attempt `once` of the same id;
 * - `tunnel`: connects to the task, and passes bytes both ways after a response 101; if that is a WebSocket's, as
 *   the messages of byte-messages.ts;
 * - `hello`: says that it is the gateway of the node;
 * - `logs`: sends lines of tasks' output, see logs/log-request.ts.
 */
export type AttemptKind = "once" | "repeat" | "reserve" | "tunnel" | "hello" | "logs";

const kinds: ReadonlySet<string> = new Set<AttemptKind>([
  "once",
  "repeat",
  "reserve",
  "tunnel",
  "hello",
  "logs",
]);

/**
 * What became of an attempt:
 * - `task`: the response is the task's;
 * - `ready`: a `reserve`, `hello` or `logs` succeeded;
 * - `refused`: nothing accepts connections at the task's port; not delivered;
 * - `gone`: the node has no such task, or it is stopping; not delivered;
 * - `full`: the task has its maximum of open requests; not delivered;
 * - `duplicate`: an attempt of this id was here before; what became of that one is not known;
 * - `broken`: the connection to the task failed after the request was sent.
 */
export type GatewayOutcome = "task" | "ready" | "refused" | "gone" | "full" | "duplicate" | "broken";

const outcomes: ReadonlySet<string> = new Set<GatewayOutcome>([
  "task",
  "ready",
  "refused",
  "gone",
  "full",
  "duplicate",
  "broken",
]);

/** True if the request was not delivered to a task, so that any request may go on to another. */
export function isUndelivered(outcome: GatewayOutcome): outcome is "refused" | "gone" | "full" {
  return outcome === "refused" || outcome === "gone" || outcome === "full";
}

/** One attempt at a task, as the data plane states it to the task's gateway. */
export type GatewayAttempt = {
  /** Id of the key of the mesh whose node key proves the attempt. */
  readonly keyId: string;
  /** Empty for `hello` and `logs`. */
  readonly taskId: string;
  /** The task's target port; 0 for `hello` and `logs`. */
  readonly port: number;
  /** Unique among the attempts of all routers: `[\w.-]`, at most 64 characters. */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly issuedMs: number;
  readonly kind: AttemptKind;
};

/** The parts of the request that the proof covers besides the attempt itself. */
export type ProvenRequest = {
  readonly method: string;
  /** Path and query, or `*`. */
  readonly target: string;
  /** Null if the task gets no Host. */
  readonly host: string | null;
};

/** What every `tunnel` is signed for: the task gets no head. */
export const tunnelRequest: ProvenRequest = { method: "GET", target: "*", host: null };

/** The fields of the attempt header before the proof. */
function attemptFields({ keyId, taskId, port, id, issuedMs, kind }: GatewayAttempt): string {
  return `1 ${keyId} ${taskId || "-"} ${port} ${id} ${issuedMs} ${kind}`;
}

/** The text that proof and mark authenticate. No part of it can contain a line feed. */
export function provenText(attempt: GatewayAttempt, { method, target, host }: ProvenRequest): string {
  return `${attemptFields(attempt)}\n${method}\n${target}\n${host ?? "-"}`;
}

/** The value of the attempt header. @param proof 22 characters of base64url */
export function printAttempt(attempt: GatewayAttempt, proof: string): string {
  return `${attemptFields(attempt)} ${proof}`;
}

const attemptShape =
  /^1 ([\w-]{1,32}) ([0-9a-z]{1,64}|-) (\d{1,5}) ([\w.-]{1,64}) (\d{1,16}) ([a-z]{1,16}) ([\w-]{22})$/;

/** Reads the attempt header; null if it is not one. The proof is not checked. */
export function readAttempt(
  text: string,
): { readonly attempt: GatewayAttempt; readonly proof: string } | null {
  const match = attemptShape.exec(text);
  if (match === null) return null;
  const [, keyId, taskId, port, id, issued, kind, proof] = match as unknown as [string, ...string[]];
  if (!kinds.has(kind as string)) return null;
  const attempt: GatewayAttempt = {
    keyId: keyId as string,
    taskId: taskId === "-" ? "" : (taskId as string),
    port: Number(port),
    id: id as string,
    issuedMs: Number(issued),
    kind: kind as AttemptKind,
  };
  return { attempt, proof: proof as string };
}

/** The value of the gateway header. @param mark 22 characters of base64url */
export function printOutcome(outcome: GatewayOutcome, mark: string): string {
  return `${outcome} ${mark}`;
}

/**
 * The outcome in a gateway header; null without the mark: the response did not come from the gateway.
 *
 * @param mark the mark of this attempt
 */
export function readOutcome(text: string | null, mark: string): GatewayOutcome | null {
  if (text === null) return null;
  const space = text.indexOf(" ");
  const outcome = text.slice(0, Math.max(space, 0));
  return outcomes.has(outcome) && text.slice(space + 1) === mark ? (outcome as GatewayOutcome) : null;
}

/** The text whose HMAC under a key of the mesh is the key of one node, 32 bytes. */
export function nodeKeyText(nodeId: string): string {
  return `waggle gateway ${nodeId}`;
}

/**
 * The text whose HMAC under a key of the mesh is the key by which one node proves attempts on a network to another,
 * 32 bytes.
 */
export function networkKeyText(networkId: string, fromNodeId: string, toNodeId: string): string {
  return `waggle network ${networkId} from ${fromNodeId} to ${toNodeId}`;
}

/** Id of the key that proves attempts `logs`, and nothing else. Routers have no such key. */
export const logKeyId = "logs";

/** The text whose HMAC under the SHA-256 of a node's credential is the key for attempts `logs`, 32 bytes. */
export const logKeyText = "waggle logs";

/** Id of the key by which the data plane of a machine proves attempts to the exit of that machine. */
export const exitKeyId = "exit";

/** What stands for the id of a node at an exit. No node has it: ids of nodes have 25 characters. */
export const exitNodeId = "exit";

/** Bytes of the proof, and of the mark. */
export const proofBytes = 16;
