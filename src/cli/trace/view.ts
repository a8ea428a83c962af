// A trace on the screen: each step of a request on a line of its own, as traceroute shows hops.

import type { RouteExplanation } from "../../protocol/route.ts";
import { formatTable } from "../output.ts";
import type { TraceResponse } from "./request.ts";
import type { TraceAttempt, TracedRoute } from "./traced-route.ts";

/** One request that was sent and answered. */
export type TraceResult = { readonly response: TraceResponse; readonly route: TracedRoute | null };

/** A request and the steps it took. @param explanation null where the mesh was not asked */
export function traceText(
  line: string,
  { response, route }: TraceResult,
  explanation: RouteExplanation | null,
): string {
  const steps: (readonly [string, string])[] = [];
  if (route === null) steps.push(["entry", `${response.from}; the answer does not tell its way`]);
  else steps.push(...routeSteps(route, explanation));
  steps.push(["answer", responseText(response, route)], ["time", timeText(response)]);
  return `${line}\n${stepLines(steps)}`;
}

/** What would happen to a request. */
export function explanationText(explanation: RouteExplanation): string {
  const { request, entry, match, services, nodes, tasks, answer, tableVersion } = explanation;
  const port = request.port === null ? "" : `, published port ${request.port}`;
  const [first] = services;
  const names = services.map(({ name }) => name).join(", ");
  const steps: (readonly [string, string])[] = [
    ["entry", `${entry.role === "edge" ? "the balancer" : entry.node}: ${entry.why}`],
    ["service", first === undefined ? `none: ${match.why}` : `${names}: ${match.why}`],
    ...(entry.role === "edge" && first !== undefined ? nodes.map(nodeStep) : []),
    ...(first === undefined ? [] : [["policy", `${first.policy}, target port ${first.target}`] as const]),
    ...(first?.options ?? []).map((option) => ["policy", option] as const),
    ...tasks.map(({ name, node, picked, why }) => {
      return ["task", `${mark(picked)} ${name}${node === null ? "" : ` on ${node}`}: ${why}`] as const;
    }),
    ...(answer.by === "task" ? [["sending", explanation.sending] as const] : []),
    ["table", `version ${tableVersion}`],
    ["answer", answer.by === "task" ? answer.why : `${answer.status} by the mesh: ${answer.reason}`],
  ];
  return `${request.method} ${request.path} on ${request.host}${port}\n${stepLines(steps)}`;
}

/** Many requests: a line for each, then how they spread over the tasks. */
export function spreadText(traced: readonly TraceResult[]): string {
  const rows = traced.map(({ response, route }, index) => {
    const last = route?.attempts.at(-1);
    const tries = route === null ? "" : String(route.attempts.length);
    const place = route?.entry === "edge" ? `balancer, ${route.node ?? "-"}` : (route?.node ?? "");
    return [
      String(index + 1),
      String(response.status),
      place,
      last?.task ?? "",
      last?.node ?? "",
      tries,
      ms(response.totalMs),
    ];
  });
  return `${formatTable(["#", "STATUS", "ENTRY", "TASK", "ON", "TRIES", "TIME"], rows)}\n${taskShares(traced)}`;
}

function taskShares(traced: readonly TraceResult[]): string {
  const byTask = Map.groupBy(traced, ({ route }) => route?.attempts.at(-1)?.task ?? "no task");
  const rows = [...byTask]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([task, list]) => {
      const times = list.map(({ response }) => response.totalMs).sort((a, b) => a - b);
      const share = `${Math.round((100 * list.length) / traced.length)}%`;
      return [
        task,
        String(list.length),
        share,
        ms(times[Math.floor(times.length / 2)] ?? 0),
        ms(times.at(-1) ?? 0),
      ];
    });
  return formatTable(["TASK", "ANSWERS", "SHARE", "MEDIAN", "LONGEST"], rows);
}

function routeSteps(way: TracedRoute, explanation: RouteExplanation | null): (readonly [string, string])[] {
  const steps: (readonly [string, string])[] = [];
  if (way.entry === "edge")
    steps.push(["entry", "the balancer"], ["node", `${way.node ?? "none"}: in turn among those that are up`]);
  else steps.push(["entry", `${way.node}${explanation === null ? "" : `: ${explanation.entry.why}`}`]);
  const explained = explanation === null || explanation.match.by === "nothing" ? null : explanation.match.why;
  const why = explained ?? pathText(way);
  steps.push(["service", way.service === null ? "none" : `${way.service}${why === null ? "" : `: ${why}`}`]);
  if (way.policy !== null) steps.push(["policy", policyText(way)]);
  if (way.queuedMs !== null) steps.push(["line", `${ms(way.queuedMs)} until a task had fewer open requests`]);
  for (const [index, attempt] of way.attempts.entries())
    steps.push([attempt.node === null ? "server" : "task", attemptText(attempt, way.attempts[index - 1])]);
  if (way.ejected !== null) steps.push(["avoided", ejectedText(way.ejected)]);
  if (way.panic !== null) steps.push(["panic", way.panic]);
  if (way.tableVersion !== null) {
    const problem = way.tableProblem === null ? "" : `; the registry: ${way.tableProblem}`;
    steps.push(["table", `version ${way.tableVersion}, ${ms(way.tableAgeMs ?? 0)} old${problem}`]);
  }
  return steps;
}

/** Which path led to the service, where the mesh was not asked to explain. */
function pathText({ path, pathOwner }: TracedRoute): string | null {
  if (path === null) return null;
  return pathOwner === null ? `it takes ${path}` : `it takes ${path} of ${pathOwner}`;
}

/** `TASK;for=1500, …` as src/ingress/debug.ts prints it. */
function ejectedText(text: string): string {
  return text
    .split(", ")
    .map((one) => {
      const [taskId = "", left = ""] = one.split(";for=");
      return left === "0" ? `${taskId} until its trial ends` : `${taskId} for ${ms(Number(left))}`;
    })
    .join(", ");
}

function policyText({ policy, sticky, canaryOf }: TracedRoute): string {
  const canary = canaryOf === null ? "" : `canary of ${canaryOf}; `;
  if (sticky === "kept") return `${canary}the client's cookie names the task; else ${policy}`;
  return `${canary}${policy}${sticky === "new" ? "; the client is given a cookie to stay by" : ""}`;
}

const outcomeTexts: Readonly<Record<string, string>> = {
  failed: "could not be reached, or broke the connection",
  none: "no answer by then",
};

function attemptText(
  { task, node, atMs, tookMs, outcome }: TraceAttempt,
  before: TraceAttempt | undefined,
): string {
  const hedge =
    before !== undefined && before.atMs + before.tookMs > atMs ? `, asked as well after ${ms(atMs)}` : "";
  return `${task}${node === null ? "" : ` on ${node}`}: ${outcomeTexts[outcome] ?? outcome} in ${ms(tookMs)}${hedge}`;
}

function responseText(
  { status, statusText, bytes, httpVersion, reason }: TraceResponse,
  way: TracedRoute | null,
): string {
  const size = `${bytes} bytes, HTTP/${httpVersion}`;
  const byTask = way === null || way.attempts.some(({ outcome }) => outcome === String(status));
  if (byTask) return `${status} ${statusText}, ${size}`;
  return `${status} ${statusText} by the mesh itself, ${size}${reason === null ? "" : `: ${reason}`}`;
}

function timeText({ connectedMs, headMs, totalMs }: TraceResponse): string {
  return `connected ${ms(connectedMs)}, first byte ${ms(headMs)}, all ${ms(totalMs)}`;
}

function nodeStep({ name, picked, why }: RouteExplanation["nodes"][number]): readonly [string, string] {
  return ["node", `${mark(picked)} ${name}: ${why}`];
}

function mark(picked: boolean): string {
  return picked ? "+" : "-";
}

/** Numbered like hops; a line of the same kind as the one before leaves its number out. */
function stepLines(steps: readonly (readonly [string, string])[]): string {
  let number = 0;
  let before = "";
  return steps
    .map(([kind, text]) => {
      const same = kind === before;
      before = kind;
      if (!same) number += 1;
      return `${same ? "  " : String(number).padStart(2)}  ${(same ? "" : kind).padEnd(8)} ${text}\n`;
    })
    .join("");
}

function ms(value: number): string {
  return value < 10 ? `${Number(value.toFixed(1))} ms` : `${Math.round(value)} ms`;
}
