// A trace on the screen: each step of a request on a line of its own, as traceroute shows hops.

import type { RouteExplanation } from "../../protocol/route.ts";
import { table } from "../output.ts";
import type { Answer } from "./exchange.ts";
import type { Attempt, Way } from "./way.ts";

/** One request that was sent and answered. */
export type Traced = { readonly answer: Answer; readonly way: Way | null };

/** A request and the steps it took. @param explanation null where the mesh was not asked */
export function traceText(
  line: string,
  { answer, way }: Traced,
  explanation: RouteExplanation | null,
): string {
  const steps: (readonly [string, string])[] = [];
  if (way === null) steps.push(["entry", `${answer.from}; the answer does not tell its way`]);
  else steps.push(...waySteps(way, explanation));
  steps.push(["answer", answerText(answer, way)], ["time", timeText(answer)]);
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
export function spreadText(traced: readonly Traced[]): string {
  const rows = traced.map(({ answer, way }, index) => {
    const last = way?.attempts.at(-1);
    const tries = way === null ? "" : String(way.attempts.length);
    const place = way?.entry === "edge" ? `balancer, ${way.node ?? "-"}` : (way?.node ?? "");
    return [
      String(index + 1),
      String(answer.status),
      place,
      last?.task ?? "",
      last?.node ?? "",
      tries,
      ms(answer.totalMs),
    ];
  });
  return `${table(["#", "STATUS", "ENTRY", "TASK", "ON", "TRIES", "TIME"], rows)}\n${shares(traced)}`;
}

function shares(traced: readonly Traced[]): string {
  const byTask = Map.groupBy(traced, ({ way }) => way?.attempts.at(-1)?.task ?? "no task");
  const rows = [...byTask]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([task, list]) => {
      const times = list.map(({ answer }) => answer.totalMs).sort((a, b) => a - b);
      const share = `${Math.round((100 * list.length) / traced.length)}%`;
      return [
        task,
        String(list.length),
        share,
        ms(times[Math.floor(times.length / 2)] ?? 0),
        ms(times.at(-1) ?? 0),
      ];
    });
  return table(["TASK", "ANSWERS", "SHARE", "MEDIAN", "LONGEST"], rows);
}

function waySteps(way: Way, explanation: RouteExplanation | null): (readonly [string, string])[] {
  const steps: (readonly [string, string])[] = [];
  if (way.entry === "edge")
    steps.push(["entry", "the balancer"], ["node", `${way.node ?? "none"}: in turn among those that are up`]);
  else steps.push(["entry", `${way.node}${explanation === null ? "" : `: ${explanation.entry.why}`}`]);
  const explained = explanation === null || explanation.match.by === "nothing" ? null : explanation.match.why;
  const why = explained ?? pathText(way);
  steps.push(["service", way.service === null ? "none" : `${way.service}${why === null ? "" : `: ${why}`}`]);
  if (way.policy !== null) steps.push(["policy", policyText(way)]);
  if (way.waitedMs !== null) steps.push(["line", `${ms(way.waitedMs)} until a task had fewer open requests`]);
  for (const [index, attempt] of way.attempts.entries())
    steps.push([attempt.node === null ? "server" : "task", attemptText(attempt, way.attempts[index - 1])]);
  if (way.passedOver !== null) steps.push(["avoided", passedOverText(way.passedOver)]);
  if (way.panic !== null) steps.push(["panic", way.panic]);
  if (way.tableVersion !== null) {
    const problem = way.tableProblem === null ? "" : `; the registry: ${way.tableProblem}`;
    steps.push(["table", `version ${way.tableVersion}, ${ms(way.tableAgeMs ?? 0)} old${problem}`]);
  }
  return steps;
}

/** Which path led to the service, where the mesh was not asked to explain. */
function pathText({ path, takenFrom }: Way): string | null {
  if (path === null) return null;
  return takenFrom === null ? `it takes ${path}` : `it takes ${path} of ${takenFrom}`;
}

/** `TASK;for=1500, …` as src/ingress/debug.ts prints it. */
function passedOverText(text: string): string {
  return text
    .split(", ")
    .map((one) => {
      const [taskId = "", left = ""] = one.split(";for=");
      return left === "0" ? `${taskId} until its trial ends` : `${taskId} for ${ms(Number(left))}`;
    })
    .join(", ");
}

function policyText({ policy, sticky, canaryOf }: Way): string {
  const canary = canaryOf === null ? "" : `canary of ${canaryOf}; `;
  if (sticky === "kept") return `${canary}the client's cookie names the task; else ${policy}`;
  return `${canary}${policy}${sticky === "new" ? "; the client is given a cookie to stay by" : ""}`;
}

const outcomes: Readonly<Record<string, string>> = {
  failed: "could not be reached, or broke the connection",
  none: "no answer by then",
};

function attemptText({ task, node, atMs, tookMs, outcome }: Attempt, before: Attempt | undefined): string {
  const hedge =
    before !== undefined && before.atMs + before.tookMs > atMs ? `, asked as well after ${ms(atMs)}` : "";
  return `${task}${node === null ? "" : ` on ${node}`}: ${outcomes[outcome] ?? outcome} in ${ms(tookMs)}${hedge}`;
}

function answerText({ status, statusText, bytes, httpVersion, reason }: Answer, way: Way | null): string {
  const size = `${bytes} bytes, HTTP/${httpVersion}`;
  const byTask = way === null || way.attempts.some(({ outcome }) => outcome === String(status));
  if (byTask) return `${status} ${statusText}, ${size}`;
  return `${status} ${statusText} by the mesh itself, ${size}${reason === null ? "" : `: ${reason}`}`;
}

function timeText({ connectedMs, headMs, totalMs }: Answer): string {
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
