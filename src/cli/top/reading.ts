// Combines the mesh's status and its traffic report into the rows of one reading.

import { hostPort } from "../../domain/model/server.ts";
import { sizeText } from "../../domain/model/service-size.ts";
import { isAlive } from "../../domain/model/task.ts";
import { isTakingRequests, type ServerStatus } from "../../protocol/server.ts";
import type { MeshStatus, StatusNode, StatusService, StatusTask } from "../../protocol/status.ts";
import type { MeshTrafficReport } from "../../protocol/telemetry.ts";
import { combinedRates, ratesOf } from "../../telemetry/rates.ts";
import type { Tone, TopReading, TopRow } from "./rows.ts";

type EntryCounts = Pick<MeshTrafficReport["services"][number], "id" | "counts" | "recent" | "trend">;

/** Retries and hedges by service, node or task id. Counters only grow: a rate is a difference of two. */
export type AttemptCounts = { readonly atMs: number; readonly byId: ReadonlyMap<string, number> };

export function attemptCountsOf(traffic: MeshTrafficReport): AttemptCounts {
  const byId = new Map(allCounts(traffic).map((counts) => [counts.id, furtherAttempts(counts)]));
  return { atMs: traffic.atMs, byId };
}

/**
 * Builds a reading.
 *
 * @param traffic null if telemetry is unavailable
 * @param before counts from some seconds ago; null for the first reading, which has no retry rate
 */
export function buildReading(
  status: MeshStatus,
  traffic: MeshTrafficReport | null,
  before: AttemptCounts | null,
  url: string,
): TopReading {
  const measure = measurer(traffic, before);
  const servers = Map.groupBy(status.servers ?? [], ({ service }) => service);
  const ofService = ({ name }: StatusService) => servers.get(name) ?? [];
  return {
    mesh: status.mesh.name,
    url,
    atMs: status.nowMs,
    total:
      traffic === null
        ? null
        : { ...combinedRates(traffic.services), retries: totalRetries(traffic, before) },
    ageMs: traffic === null ? 0 : traffic.atMs - traffic.completeMs,
    sections: {
      services: status.services.map((service) => serviceRow(service, ofService(service), measure)),
      nodes: status.nodes.map((node) => nodeRow(node, measure)),
      tasks: status.services.flatMap((service) => [
        ...taskRows(service, measure),
        ...ofService(service).map((server) => serverRow(server, measure)),
      ]),
    },
    problems: status.problems.map(({ what, why }) => `${what}: ${why}`),
    unmeasured: traffic === null ? "Traffic statistics are unavailable." : "",
  };
}

type RowMeasurer = (id: string) => Pick<TopRow, "measured" | "trend">;

function measurer(traffic: MeshTrafficReport | null, before: AttemptCounts | null): RowMeasurer {
  if (traffic === null) return () => ({ measured: null, trend: [] });
  const countsById = new Map(allCounts(traffic).map((counts) => [counts.id, counts]));
  return (id) => {
    const counts = countsById.get(id);
    const retries = counts === undefined ? null : retryRate(counts, before, traffic.atMs);
    return { measured: { ...ratesOf(counts?.recent), retries }, trend: counts?.trend ?? [] };
  };
}

function allCounts({ services, nodes }: MeshTrafficReport): readonly EntryCounts[] {
  return [...services, ...nodes, ...services.flatMap(({ tasks }) => tasks)];
}

/** Further attempts per second since `before`. A counter that fell was reset, and counts as zero. */
function retryRate(counts: EntryCounts, before: AttemptCounts | null, atMs: number): number | null {
  if (before === null || atMs <= before.atMs) return null;
  const increase = furtherAttempts(counts) - (before.byId.get(counts.id) ?? 0);
  return Math.max(0, increase) / ((atMs - before.atMs) / 1_000);
}

/** Attempts after the first: those a service or node made, or those that moved a request away from a task. */
function furtherAttempts({ counts }: EntryCounts): number {
  const { retries = 0, hedges = 0, redispatches = 0 } = counts;
  return Math.max(retries + hedges, redispatches);
}

function totalRetries({ services, atMs }: MeshTrafficReport, before: AttemptCounts | null): number | null {
  if (before === null) return null;
  return services.reduce((sum, counts) => sum + (retryRate(counts, before, atMs) ?? 0), 0);
}

function serviceRow(
  { id, name, running, desired, ports, hosts }: StatusService,
  servers: readonly ServerStatus[],
  measure: RowMeasurer,
): TopRow {
  const where = [...ports.map(({ published }) => String(published)), ...hosts].join(", ");
  const up = servers.filter(isTakingRequests).length;
  const all = servers.length;
  const state = sizeText({ running, desired }, { up, all });
  const tone = running >= desired && up >= all ? "ok" : running + up === 0 ? "bad" : "warn";
  return { name, where, state, tone, ...measure(id) };
}

function nodeRow(
  { id, name, address, state, availability, leaving }: StatusNode,
  measure: RowMeasurer,
): TopRow {
  const suffix = leaving ? " leaving" : availability === "active" ? "" : ` ${availability}`;
  const tone: Tone = state !== "ready" ? "bad" : suffix === "" ? "ok" : "warn";
  return { name, where: address, state: state + suffix, tone, ...measure(id) };
}

/** Rows of the live tasks; `waggle service ps` lists the ended ones. */
function taskRows({ tasks }: StatusService, measure: RowMeasurer): readonly TopRow[] {
  return tasks
    .filter(({ state }) => isAlive({ state: state as Parameters<typeof isAlive>[0]["state"] }))
    .map((task) => ({
      name: task.name,
      where: task.node ?? "no node",
      state: task.state === "running" ? `running ${task.haproxy}` : task.state,
      tone: toneOfTask(task),
      ...measure(task.id),
    }));
}

function serverRow(server: ServerStatus, measure: RowMeasurer): TopRow {
  const { id, service, spec, status } = server;
  const tone = toneOfServer(server);
  return {
    name: `${service}/${spec.name}`,
    where: hostPort(spec.host, spec.port),
    state: `server ${status}`,
    tone,
    ...measure(id),
  };
}

/** A server that the operator took out of traffic is idle, not bad. */
function toneOfServer({ status, admin }: ServerStatus): Tone {
  if (admin !== "ready") return "idle";
  if (status.startsWith("DOWN")) return "bad";
  return status === "UP" || status === "no check" ? "ok" : "warn";
}

function toneOfTask({ heard, state, desired, health }: StatusTask): Tone {
  if (!heard || health?.verdict === "unhealthy") return "bad";
  if (desired !== "running") return "idle";
  return state === "running" && (health === null || health.verdict === "healthy") ? "ok" : "warn";
}
