// Why a task does not run or is not healthy: the cause in words, what to do, and a key that is equal for tasks with
// the same cause.

import { haproxyStatus } from "../../domain/model/health.ts";
import type { MeshNode } from "../../domain/model/node.ts";
import type { Task } from "../../domain/model/task.ts";
import type { ServiceView } from "../../registry/api.ts";

export type TaskCause = {
  /** Without what differs between tasks that fail alike: durations, ids, names of nodes, output. */
  readonly key: string;
  /** Reads after the names of the tasks: `rejected: No such image: nope`. */
  readonly text: string;
  /** The next step, as a sentence. */
  readonly next: string;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
};

/** The word of a check whose response is not HTTP. */
const notHttp = "L7RSP";

/** A running task that fails its checks. */
export function unhealthyCause(service: ServiceView, { health, stateSinceMs }: Task): TaskCause {
  const lastCheck = health?.lastCheck || "no response";
  const next = lastCheck.startsWith(notHttp)
    ? notHttpAdvice(service)
    : lastCheck.startsWith("L4")
      ? `Nothing accepts connections at its port: it gets no new requests. ${logAdvice(service)}`
      : `It gets no new requests. ${logAdvice(service)}`;
  return {
    key: `unhealthy ${withoutVariables(lastCheck, undefined)}`,
    text: `unhealthy: ${lastCheck} (${haproxyStatus(health)})`,
    next,
    sinceMs: health?.sinceMs ?? stateSinceMs,
  };
}

/**
 * A task that failed, was rejected, or ended without a successor.
 *
 * @param hasSuccessor false: its restart policy allows the slot no further task
 */
export function endedCause(
  service: ServiceView,
  task: Task,
  nodeById: NodeById,
  hasSuccessor = true,
): TaskCause {
  const { state, err, message, stateSinceMs } = task;
  const text = `${state}: ${err || message}`;
  const isGivenUp = !hasSuccessor && state !== "complete";
  const advice = endedAdvice(service, task, hostnameOf(task, nodeById), hasSuccessor);
  return {
    key: withoutVariables(text, nodeById.get(task.nodeId ?? "")),
    text: isGivenUp ? `${text}; its restart policy allows no further task` : text,
    next: isGivenUp ? `${advice} Then: \`waggle service update --force ${service.spec.name}\`.` : advice,
    sinceMs: stateSinceMs,
  };
}

/** A task that is on its way to run. */
export function startingCause(service: ServiceView, task: Task, nodeById: NodeById): TaskCause {
  const { state, err, message, createdAtMs } = task;
  const text = `${state}: ${err || message}`;
  const next =
    err === ""
      ? "Tasks are starting: wait a moment."
      : endedAdvice(service, task, hostnameOf(task, nodeById));
  return { key: withoutVariables(text, nodeById.get(task.nodeId ?? "")), text, next, sinceMs: createdAtMs };
}

type NodeById = ReadonlyMap<string, MeshNode>;

function hostnameOf({ nodeId }: Task, nodeById: NodeById): string {
  return nodeById.get(nodeId ?? "")?.hostname ?? "its node";
}

/** Texts of runtimes, and what helps. The first that matches counts. */
const advices: readonly {
  readonly pattern: RegExp;
  readonly advice: (service: ServiceView, hostname: string) => string;
}[] = [
  { pattern: /L7RSP/, advice: (service) => notHttpAdvice(service) },
  {
    pattern: /runs tasks as processes, which cannot have/,
    advice: () =>
      "Take those out of the service (`docker service update --help` lists the flags), or add a node with Docker.",
  },
  {
    pattern: /refused access to|unauthorized|credentials/i,
    advice: ({ spec }) =>
      `Check the image's name, log in, and pass the credentials on: \`docker login\`, then \`docker service update --with-registry-auth ${spec.name}\`.`,
  },
  {
    pattern: /no such image|is not known|cannot pull|manifest unknown/i,
    advice: ({ spec }) =>
      `Correct the image, ${spec.run.image}: \`waggle service update --image IMAGE ${spec.name}\`, or make it available to the nodes.`,
  },
  {
    pattern: /EADDRINUSE|address already in use|port is already allocated|another program holds its port/i,
    advice: ({ spec }, hostname) =>
      `Another program holds the port on ${hostname}: stop it there, have ${spec.name} listen at the port that $PORT names, or publish another port.`,
  },
  {
    pattern: /killed by SIGKILL|non-zero exit \(137\)|out of memory/i,
    advice: (service) => `It was killed, perhaps for its use of memory. ${logAdvice(service)}`,
  },
  {
    pattern: /ENOENT|no such file or directory|executable file not found|non-zero exit \(127\)/i,
    advice: ({ spec }) =>
      `Its program does not exist there: correct the command or the image of ${spec.name}.`,
  },
];

function endedAdvice(
  service: ServiceView,
  { state, err }: Task,
  hostname: string,
  hasSuccessor = true,
): string {
  const known = advices.find(({ pattern }) => pattern.test(err));
  if (known !== undefined) return known.advice(service, hostname);
  if (state === "complete")
    return `It ended by itself, and its restart policy starts no further one: \`waggle service update --force ${service.spec.name}\`.`;
  return state === "rejected"
    ? `Correct the service: \`waggle service update ${service.spec.name}\`.`
    : `${logAdvice(service)}${hasSuccessor ? " The mesh starts it again." : ""}`;
}

function logAdvice({ spec: { name } }: ServiceView): string {
  return `See what it printed: \`waggle logs ${name}\`.`;
}

function notHttpAdvice({ spec: { name } }: ServiceView): string {
  return `${name} does not speak HTTP: \`waggle service update --label-add waggle.mode=tcp --label-add waggle.probe=tcp ${name}\`.`;
}

/** Docker's words for the end of a program; the program's last lines of output follow. */
const exitText = /(non-zero exit \(\d+\)(?:: killed by [A-Z0-9]+)?(?:: another program holds its port)?).*/s;

/** The text without output, durations, ids, local addresses and the name of its node. */
export function withoutVariables(text: string, node: Pick<MeshNode, "hostname"> | undefined): string {
  const [cause = ""] = text.split("; restarting in ");
  const exit = cause.replace(exitText, "$1");
  return (node === undefined ? exit : exit.replaceAll(node.hostname, "NODE"))
    .replaceAll(/\b[0-9a-z]{25}\b|\b[0-9a-f]{12,64}\b/g, "ID")
    .replaceAll(/\b\d+(\.\d+)? ?m?s\b/g, "TIME")
    .replaceAll(/\b127\.\d+\.\d+\.\d+(:\d+)?\b/g, "ADDRESS");
}
