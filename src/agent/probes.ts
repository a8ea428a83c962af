// Probes: whether a task answers, told in HAProxy's words.
//
//   L4OK in 0ms          connected              L7OK/200 in 3ms     answered 2xx or 3xx
//   L4CON in 0ms         refused or no route    L7STS/503 in 2ms    answered another status
//   L4TOUT in 1000ms     no connection in time  L7TOUT in 1000ms    connected, no answer in time
//                                               L7RSP in 1ms        answered something that is not HTTP

import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { ProbeSpec } from "../domain/model/service.ts";
import type { Endpoint } from "../domain/model/task.ts";

export type ProbeResult = { readonly ok: boolean; readonly text: string };

/** Probes a task; an abort ends it early with whatever it then looks like. */
export type TaskProber = (
  endpoints: readonly Endpoint[],
  probe: ProbeSpec,
  signal: AbortSignal,
) => Promise<ProbeResult>;

/** How long one probe may take, milliseconds. */
export const probeTimeoutMs = 1_000;

/**
 * Asks all a task's ports at once: the first as `probe` says, the others for a connection. The first that fails is
 * the answer, with its target port where that is not the first.
 */
export const probeTask: TaskProber = async (endpoints, probe, signal) => {
  const results = await Promise.all(
    endpoints.map(({ origin }, index) => probeOrigin(origin, index === 0 ? probe : { kind: "tcp" }, signal)),
  );
  const failed = results.findIndex(({ ok }) => !ok);
  const result = results[Math.max(failed, 0)] ?? { ok: true, text: "L4OK in 0ms" };
  return failed > 0 ? { ok: false, text: `${result.text} (port ${endpoints[failed]?.target})` } : result;
};

function probeOrigin(origin: string, probe: ProbeSpec, signal: AbortSignal): Promise<ProbeResult> {
  const { hostname, port } = new URL(origin);
  const address = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
  return probe.kind === "tcp" ? probeTcp(address, signal) : probeHttp(address, probe.path, signal);
}

type ProbeAddress = { readonly host: string; readonly port: number };

function probeTcp(address: ProbeAddress, signal: AbortSignal): Promise<ProbeResult> {
  return runWithTimeout((finish) => {
    const socket = connect(address);
    socket.once("connect", () => finish(true, "L4OK"));
    socket.on("error", () => finish(false, "L4CON"));
    return { cancel: () => socket.destroy(), timeoutWord: () => "L4TOUT" };
  }, signal);
}

function probeHttp({ host, port }: ProbeAddress, path: string, signal: AbortSignal): Promise<ProbeResult> {
  return runWithTimeout((finish) => {
    let connected = false;
    // Each probe dials anew: a connection kept from a healthier time would hide that no new one is accepted.
    const agent = new Agent({ keepAlive: false });
    const headers = { "user-agent": "waggle-probe", connection: "close" };
    const asked = request({ host, port, path, method: "GET", agent, headers });
    asked.once("socket", (socket: Socket) => {
      socket.once("connect", () => {
        connected = true;
      });
    });
    asked.once("response", ({ statusCode = 0 }) => {
      const ok = statusCode >= 200 && statusCode < 400;
      finish(ok, `${ok ? "L7OK" : "L7STS"}/${statusCode}`);
    });
    asked.on("error", () => finish(false, connected ? "L7RSP" : "L4CON"));
    asked.end();
    return { cancel: () => asked.destroy(), timeoutWord: () => (connected ? "L7TOUT" : "L4TOUT") };
  }, signal);
}

type ProbeAttempt = { readonly cancel: () => void; readonly timeoutWord: () => string };

/** Runs one attempt against the clock; it is over once, whatever happens after. */
function runWithTimeout(
  begin: (finish: (ok: boolean, word: string) => void) => ProbeAttempt,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const attempt = begin(finish);
    const timer = setTimeout(() => finish(false, attempt.timeoutWord()), probeTimeoutMs);
    const abort = () => finish(false, attempt.timeoutWord());
    signal.addEventListener("abort", abort, { once: true });
    function finish(ok: boolean, word: string): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      attempt.cancel();
      resolve({ ok, text: `${word} in ${Math.round(performance.now() - startMs)}ms` });
    }
  });
}
