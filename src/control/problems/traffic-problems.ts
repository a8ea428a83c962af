// The problems that traffic shows: services whose clients get errors, whatever checks say, and targets that fail.

import { serverName } from "../../domain/model/server.ts";
import { isWanted } from "../../domain/model/task.ts";
import type { StatusProblem } from "../../protocol/status.ts";
import {
  type FailingService,
  failingServices,
  type JudgedTraffic,
} from "../../telemetry/traffic-problems.ts";
import { type ServiceState, shownTaskName } from "./service-problems.ts";
import { listText } from "./words.ts";

/** Targets named in one problem; the others are counted. */
const maxNamedTargets = 3;

/** @param traffic may have removed services and ended tasks, which are ignored */
export function trafficProblems(
  states: ReadonlyMap<string, ServiceState>,
  traffic: readonly JudgedTraffic[],
): StatusProblem[] {
  return failingServices(traffic).flatMap((failing) => {
    const state = states.get(failing.serviceId);
    return state === undefined ? [] : serviceProblems(failing, state);
  });
}

function serviceProblems(
  { why, targets, isOutage, isTotal }: FailingService,
  state: ServiceState,
): StatusProblem[] {
  const { service } = state;
  const { name } = service.spec;
  const current = targets.flatMap((target) => {
    const what = subjectOf(target.id, state);
    return what === null ? [] : [{ ...target, what }];
  });
  if (why === null) {
    return current.map((target) => ({
      what: target.what,
      why: `${target.why}; other targets take its requests`,
      next: `See what it printed: \`waggle logs ${name}\`; \`waggle trace URL\` follows one request.`,
      sinceMs: null,
      service: name,
      severity: "warn" as const,
    }));
  }
  const names = current.map(({ what }) => what.replace(/^\S+ /, ""));
  const where = names.length === 0 ? "" : `, at ${listText(names, maxNamedTargets)}`;
  const next =
    names.length === 0
      ? "Find the task that fails them, and from where, on its page or with `waggle top`; `waggle trace URL` follows one request."
      : `See what ${names.length === 1 ? "it" : "they"} printed: \`waggle logs ${name}\`; \`waggle trace URL\` follows one request.`;
  const hint = isTotal && acceptsOnly(state) ? ` ${otherProtocolHint(name)}` : "";
  return [
    {
      what: `service ${name}`,
      why: `${why}${where}`,
      next: `${next}${hint}`,
      sinceMs: null,
      service: name,
      ...(isOutage
        ? ({ severity: "bad", headline: `${name} responds with errors` } as const)
        : ({ severity: "warn" } as const)),
    },
  ];
}

/** `task my-web.1`, `server web/a`; null for a target that has ended or was removed. */
function subjectOf(id: string, { service, tasks, servers, mesh }: ServiceState): string | null {
  const task = tasks.find((one) => one.id === id);
  if (task !== undefined)
    return isWanted(task) ? `task ${shownTaskName(service, task, mesh.nodeById)}` : null;
  const server = servers.find((one) => one.id === id);
  return server === undefined ? null : `server ${serverName(service.spec.name, server)}`;
}

/** True if the running tasks accept connections, and it is not known that they speak HTTP. */
function acceptsOnly({ tasks }: ServiceState): boolean {
  const running = tasks.filter((task) => isWanted(task) && task.state === "running");
  return running.length > 0 && running.every(({ health }) => health?.lastCheck.startsWith("L4OK") === true);
}

function otherProtocolHint(name: string): string {
  return `If ${name} does not speak HTTP: \`waggle service update --label-add waggle.mode=tcp ${name}\`.`;
}
