// Prints a trace: each step of a request on its own line, as traceroute prints hops.

import { printable } from "../../domain/model/printable.ts";
import type { RouteExplanation } from "../../protocol/route.ts";
import { formatTable } from "../output.ts";
import type { TraceResponse } from "./request.ts";
import type { TraceAttempt, TracedRoute } from "./traced-route.ts";

/** One request that got a response; `route` is null if the response has no debug headers. */
export type TraceResult = { readonly response: TraceResponse; readonly route: TracedRoute | null };

/** One line of a trace. */
type Step = readonly [kind: string, text: string];

/** The steps of one request. @param explanation null if the registry is unreachable */
export function traceText(
  requestLine: string,
  { response, route }: TraceResult,
  explanation: RouteExplanation | null,
): string {
  const steps =
    route === null
      ? [["entry", `${response.from}; the response has no trace headers`] as const]
      : routeSteps(route, explanation);
  const last: Step[] = [
    ["response", responseText(response, route)],
    ["time", timeText(response)],
  ];
  return `${printable(requestLine)}\n${stepLines([...steps, ...last])}`;
}

/** The steps that a request would take. */
export function explanationText(explanation: RouteExplanation): string {
  const { request, entry, match, services, nodes, tasks, response, tableVersion } = explanation;
  const port = request.port === null ? "" : `, published port ${request.port}`;
  const [first] = services;
  const names = services.map(({ name }) => name).join(", ");
  const steps: Step[] = [
    ["entry", `${entry.role === "edge" ? "the balancer" : entry.node}: ${entry.why}`],
    ["service", first === undefined ? `none: ${match.why}` : `${names}: ${match.why}`],
    ...(entry.role === "edge" && first !== undefined ? nodes.map(nodeStep) : []),
    ...(first === undefined ? [] : [["policy", `${first.policy}, target port ${first.target}`] as const]),
    ...(first?.options ?? []).map((option) => ["policy", option] as const),
    ...tasks.map(taskStep),
    ...(response.by === "task" ? [["sending", explanation.sending] as const] : []),
    ["table", `version ${tableVersion}`],
    [
      "response",
      response.by === "task" ? response.why : `${response.status} by the mesh: ${response.reason}`,
    ],
  ];
  const requestLine = printable(`${request.method} ${request.path} on ${request.host}${port}`);
  return `${requestLine}\n${stepLines(steps)}`;
}

/** Several requests: one line each, then how they spread over the tasks. */
export function spreadText(results: readonly TraceResult[]): string {
  const rows = results.map(({ response, route }, index) => {
    const last = route?.attempts.at(-1);
    return [
      String(index + 1),
      String(response.status),
      entryText(route),
      last?.task ?? "",
      last?.node ?? "",
      route === null ? "" : String(route.attempts.length),
      durationText(response.totalMs),
    ];
  });
  const headings = ["#", "STATUS", "ENTRY", "TASK", "NODE", "ATTEMPTS", "TIME"];
  return `${formatTable(headings, rows)}\n${taskShares(results)}`;
}

function entryText(route: TracedRoute | null): string {
  return route?.entry === "edge" ? `balancer, ${route.node ?? "-"}` : (route?.node ?? "");
}

function taskShares(results: readonly TraceResult[]): string {
  const byTask = Map.groupBy(results, ({ route }) => route?.attempts.at(-1)?.task ?? "no task");
  const rows = [...byTask]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([task, ofTask]) => {
      const timesMs = ofTask.map(({ response }) => response.totalMs).sort((a, b) => a - b);
      return [
        task,
        String(ofTask.length),
        `${Math.round((100 * ofTask.length) / results.length)}%`,
        durationText(timesMs[Math.floor(timesMs.length / 2)] ?? 0),
        durationText(timesMs.at(-1) ?? 0),
      ];
    });
  return formatTable(["TASK", "RESPONSES", "SHARE", "MEDIAN", "MAX"], rows);
}

function routeSteps(route: TracedRoute, explanation: RouteExplanation | null): Step[] {
  return [
    ...entrySteps(route, explanation),
    ["service", serviceText(route, explanation)],
    ...(route.policy === null ? [] : [["policy", policyText(route)] as const]),
    ...(route.queuedMs === null ? [] : [["queue", queueText(route.queuedMs)] as const]),
    ...route.attempts.map((attempt, index): Step => {
      const kind = attempt.node === null ? "server" : "task";
      return [kind, attemptText(attempt, route.attempts[index - 1])];
    }),
    ...(route.ejected === null ? [] : [["ejected", ejectedText(route.ejected)] as const]),
    ...(route.panic === null ? [] : [["panic", route.panic] as const]),
    ...(route.tableVersion === null ? [] : [["table", tableText(route)] as const]),
  ];
}

function entrySteps({ entry, node }: TracedRoute, explanation: RouteExplanation | null): Step[] {
  if (entry === "ingress") {
    return [["entry", `${node}${explanation === null ? "" : `: ${explanation.entry.why}`}`]];
  }
  return [
    ["entry", "the balancer"],
    ["node", `${node ?? "none"}: roundrobin over the nodes that are up`],
  ];
}

function serviceText(route: TracedRoute, explanation: RouteExplanation | null): string {
  if (route.service === null) return "none";
  const isExplained = explanation !== null && explanation.match.by !== "nothing";
  const reason = isExplained ? explanation.match.why : pathText(route);
  return reason === null ? route.service : `${route.service}: ${reason}`;
}

/** The path rule that selected the service, for a route without an explanation. */
function pathText({ path, pathOwner }: TracedRoute): string | null {
  if (path === null) return null;
  return pathOwner === null ? `path ${path}` : `path ${path} of ${pathOwner}`;
}

function policyText({ policy, sticky, canaryOf }: TracedRoute): string {
  const canary = canaryOf === null ? "" : `canary of ${canaryOf}; `;
  if (sticky === "kept") return `${canary}the client's cookie names the task; else ${policy}`;
  return `${canary}${policy}${sticky === "new" ? "; the response sets a sticky cookie" : ""}`;
}

function queueText(queuedMs: number): string {
  return `${durationText(queuedMs)} until a task had fewer open requests than its limit`;
}

const outcomeTexts: Readonly<Record<string, string>> = {
  failed: "connection failed",
  none: "no response",
};

function attemptText(
  { task, node, transport, atMs, tookMs, outcome }: TraceAttempt,
  previous: TraceAttempt | undefined,
): string {
  const isHedge = previous !== undefined && previous.atMs + previous.tookMs > atMs;
  const hedge = isHedge ? `, hedge after ${durationText(atMs)}` : "";
  const text = outcomeTexts[outcome] ?? outcome;
  const via = transport === undefined ? "" : ` (${transport})`;
  return `${task}${node === null ? "" : ` on ${node}${via}`}: ${text} in ${durationText(tookMs)}${hedge}`;
}

/** Reads `TASK;for=1500, …` as src/ingress/debug.ts prints it. */
function ejectedText(header: string): string {
  return header
    .split(", ")
    .map((item) => {
      const [taskId = "", remainingMs = ""] = item.split(";for=");
      return remainingMs === "0"
        ? `${taskId} until its trial ends`
        : `${taskId} for ${durationText(Number(remainingMs))}`;
    })
    .join(", ");
}

function tableText({ tableVersion, tableAgeMs, tableProblem }: TracedRoute): string {
  const problem = tableProblem === null ? "" : `; registry: ${tableProblem}`;
  return `version ${tableVersion}, ${ageText(tableAgeMs ?? 0)} old${problem}`;
}

/** A table stays the same for as long as nothing changes: `340 ms`, `132 s`. */
function ageText(ms: number): string {
  return ms < 10_000 ? durationText(ms) : `${Math.round(ms / 1_000)} s`;
}

function responseText(
  { status, statusText, bytes, httpVersion, reason }: TraceResponse,
  route: TracedRoute | null,
): string {
  const size = `${bytes} bytes, HTTP/${httpVersion}`;
  const isByTask = route === null || route.attempts.some(({ outcome }) => outcome === String(status));
  if (isByTask) return `${status} ${statusText}, ${size}`;
  return `${status} ${statusText} by the mesh, ${size}${reason === null ? "" : `: ${reason}`}`;
}

function timeText({ connectedMs, headMs, totalMs }: TraceResponse): string {
  const times = [
    `connected ${durationText(connectedMs)}`,
    `first byte ${durationText(headMs)}`,
    `total ${durationText(totalMs)}`,
  ];
  return times.join(", ");
}

function nodeStep({ name, picked, why }: RouteExplanation["nodes"][number]): Step {
  return ["node", `${mark(picked)} ${name}: ${why}`];
}

function taskStep({ name, node, picked, why }: RouteExplanation["tasks"][number]): Step {
  return ["task", `${mark(picked)} ${name}${node === null ? "" : ` on ${node}`}: ${why}`];
}

function mark(isPicked: boolean): string {
  return isPicked ? "+" : "-";
}

/** Numbers the steps like hops. A step of the same kind as the previous one has neither number nor kind. */
function stepLines(steps: readonly Step[]): string {
  let number = 0;
  let previousKind = "";
  return steps
    .map(([kind, text]) => {
      const isSame = kind === previousKind;
      previousKind = kind;
      if (!isSame) number += 1;
      return `${isSame ? "  " : String(number).padStart(2)}  ${(isSame ? "" : kind).padEnd(8)} ${printable(text)}\n`;
    })
    .join("");
}

/** `0.3 ms`, `12 ms`. */
function durationText(ms: number): string {
  return ms < 10 ? `${Number(ms.toFixed(1))} ms` : `${Math.round(ms)} ms`;
}
