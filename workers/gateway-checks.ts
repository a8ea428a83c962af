// The registry's checks of gateways: a signed `hello` to where the data plane would dial the gateway. The mark
// in the response proves that the node's own agent answered.

import {
  attemptHeader,
  gatewayHeader,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
} from "../src/gateway/attempt.ts";
import { AttemptSigner } from "../src/proxy/attempt-signer.ts";
import type { DialGateway } from "../src/proxy/plane.ts";
import type { GatewayCheckRequest } from "../src/registry/gateway-checks.ts";

/** Time for a gateway to answer, milliseconds. */
const checkTimeoutMs = 3_000;
/** Time between attempts, milliseconds: an agent gets the keys of its gateway after its first hello. */
const checkRetryMs = 500;
/** Attempts at a gateway that does not answer at all. */
const maxSilentAttempts = 2;
/** Checks at a time. A Worker opens at most six connections at once. */
const maxGatewayChecks = 4;

/** What an attempt got: a response with the mark, the status of one without, or nothing. */
type CheckAnswer = "marked" | number | "none";

export class GatewayChecks {
  readonly #dial: DialGateway;
  readonly #signer = new AttemptSigner(`check-${crypto.randomUUID()}`);
  /** By node, transport and URL: checks that run or wait for their turn. */
  readonly #pending = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #runningCount = 0;

  constructor(dial: DialGateway) {
    this.#dial = dial;
  }

  /**
   * Checks a gateway. Never rejects.
   *
   * @returns why the gateway is not reached, empty if it is; null if this check already runs
   */
  run(request: GatewayCheckRequest): Promise<string> | null {
    const name = `${request.nodeId} ${request.transport} ${request.url}`;
    if (this.#pending.has(name)) return null;
    this.#pending.add(name);
    return this.#inTurn(() => this.#check(request)).finally(() => this.#pending.delete(name));
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#runningCount >= maxGatewayChecks) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#runningCount += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#runningCount -= 1;
      else next();
    }
  }

  /** @returns the problem, empty if the gateway answered */
  async #check(request: GatewayCheckRequest): Promise<string> {
    const time = new AbortController();
    // A signal of AbortSignal.timeout would keep the object in memory to its end.
    const timer = setTimeout(() => time.abort(), checkTimeoutMs);
    try {
      return await this.#askUntil(request, time.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #askUntil(request: GatewayCheckRequest, signal: AbortSignal): Promise<string> {
    for (let at = 1; ; at += 1) {
      const answer = await this.#ask(request, signal);
      if (answer === "marked") return "";
      const isLast = signal.aborted || (answer === "none" && at === maxSilentAttempts);
      if (!isLast) await new Promise((resolve) => setTimeout(resolve, checkRetryMs));
      if (isLast || signal.aborted) return problemText(request, answer);
    }
  }

  async #ask(request: GatewayCheckRequest, signal: AbortSignal): Promise<CheckAnswer> {
    const { nodeId, transport, url, key } = request;
    const attempt = {
      keyId: key.id,
      taskId: "",
      port: 0,
      id: this.#signer.newAttemptId(),
      issuedMs: Date.now(),
      kind: "hello",
    } as const;
    this.#signer.setKeys([key]);
    const text = provenText(attempt, { method: "POST", target: "*", host: null });
    const signature = await this.#signer.sign(key.id, nodeId, text);
    if (signature === null) throw new Error(`the signer has no key ${key.id}`);
    const headers = new Headers([
      [attemptHeader, printAttempt(attempt, signature.proof)],
      [targetHeader, "*"],
    ]);
    try {
      const init = { method: "POST", headers, redirect: "manual", signal } as const;
      const response = await this.#dial({ transport, base: url }, nodeId, init);
      void response.body?.cancel();
      const isMarked = readOutcome(response.headers.get(gatewayHeader), signature.mark) !== null;
      return isMarked ? "marked" : response.status;
    } catch {
      return "none";
    }
  }
}

/** The runtime's errors do not distinguish a refused connection, a timeout and an unknown host name. */
function problemText({ transport, url }: GatewayCheckRequest, answer: number | "none"): string {
  if (answer !== "none") {
    return `not the node's gateway, something else answers at ${url} (status ${answer}): check --address and --gateway-port of its agent`;
  }
  if (transport === "vpc") {
    return `no answer from ${url} through the VPC network: check its connector, and its route to the node`;
  }
  const { port, protocol } = new URL(url);
  const isTls = protocol === "https:";
  const certificate = isTls ? ", and give its gateway a certificate for this host that routers trust" : "";
  return `no answer from ${url}: open TCP port ${port || (isTls ? 443 : 80)} of the node for the mesh${certificate}`;
}
