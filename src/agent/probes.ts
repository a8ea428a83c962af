// Probes of a task, with results in HAProxy's words.
//
//   L4OK in 0ms          connected              L7OK/200 in 3ms     status 2xx or 3xx
//   L4CON in 0ms         refused or no route    L7STS/503 in 2ms    another status
//   L4TOUT in 1000ms     no connection in time  L7TOUT in 1000ms    connected, no response in time
//                                               L7RSP in 1ms        the response is not HTTP

import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { ProbeSpec } from "../domain/model/service.ts";
import type { Endpoint } from "../domain/model/task.ts";
import { endpointOfOrigin } from "./gateway/task-connection.ts";

export type ProbeResult = { readonly ok: boolean; readonly text: string };

/** Probes a task. An abort ends the probe early, as a timeout does. */
export type TaskProber = (
  endpoints: readonly Endpoint[],
  probe: ProbeSpec,
  signal: AbortSignal,
) => Promise<ProbeResult>;

/** Timeout of one probe, milliseconds. */
export const probeTimeoutMs = 1_000;
/** Probe interval of a running task. */
export const probeIntervalMs = 2_000;
/** Probe interval of a starting or suspect task. */
export const startingProbeIntervalMs = 100;
/** A task that does not become healthy within this time after its start has failed. */
export const taskStartTimeoutMs = 60_000;
/** Equal results in a row that change a verdict; HAProxy's defaults. */
export const healthPolicy = { rise: 2, fall: 3 } as const;

/**
 * Probes all ports of a task at once: the first with `probe`, the others with a connection. If some fail, the
 * result is that of the first of them; it names the target port unless that is the task's first.
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
  const address = endpointOfOrigin(origin);
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
    let isConnected = false;
    // Each probe opens a new connection, because a kept one would hide that the task accepts no more.
    const agent = new Agent({ keepAlive: false });
    const headers = { "user-agent": "waggle-probe", connection: "close" };
    const outgoing = request({ host, port, path, method: "GET", agent, headers });
    outgoing.once("socket", (socket: Socket) => {
      socket.once("connect", () => {
        isConnected = true;
      });
    });
    outgoing.once("response", ({ statusCode = 0 }) => {
      const ok = statusCode >= 200 && statusCode < 400;
      finish(ok, `${ok ? "L7OK" : "L7STS"}/${statusCode}`);
    });
    outgoing.on("error", () => finish(false, isConnected ? "L7RSP" : "L4CON"));
    outgoing.end();
    return { cancel: () => outgoing.destroy(), timeoutWord: () => (isConnected ? "L7TOUT" : "L4TOUT") };
  }, signal);
}

type ProbeAttempt = { readonly cancel: () => void; readonly timeoutWord: () => string };

/** Runs one attempt with a timeout. Only the first result counts. */
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
