// Builders of reports for tests of the statistics.

import type { MeshNode } from "../../../src/domain/model/node.ts";
import type { StaticServer } from "../../../src/domain/model/server.ts";
import type { Service } from "../../../src/domain/model/service.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import { emptyTraffic, type StatsTraffic } from "../../../src/stats/input.ts";
import { makeReport } from "../../../src/stats/make-report.ts";
import type { ColumnValues, StatsReport } from "../../../src/stats/report.ts";
import { aNode, aService, aTask, now } from "../../support/world.ts";

export type Parts = {
  readonly nodes?: readonly MeshNode[];
  readonly services?: readonly Service[];
  readonly tasks?: readonly Task[];
  readonly servers?: readonly StaticServer[];
  readonly traffic?: StatsTraffic;
};

/** A report of these parts; the default is one node, and the service my-web with two healthy tasks. */
export function aReport(parts: Parts = {}): StatsReport {
  const myWeb = aService();
  const { nodes = [aNode()], services = [myWeb], servers = [], traffic = emptyTraffic } = parts;
  const { tasks = [aTask(myWeb), aTask(myWeb, { slot: 2 })] } = parts;
  const running = tasks.filter(({ state }) => state === "running").length;
  return makeReport({
    info: {
      id: "mesh",
      name: "test",
      createdAtMs: now - 3_600_000,
      tableVersion: 7,
      nodes: { total: nodes.length, ready: nodes.filter(({ state }) => state === "ready").length },
      services: services.length,
      tasks: { running, desired: tasks.length },
    },
    nodes,
    services: services.map((service) => ({ ...service, running, desiredTasks: tasks.length, completed: 0 })),
    tasks,
    servers,
    traffic,
    nowMs: now,
  });
}

/** The values of the row with this name; throws if the row does not exist. */
export function valuesOf(report: StatsReport, proxy: string, row: string): ColumnValues {
  const found = report.proxies
    .find(({ name }) => name === proxy)
    ?.rows.find(({ values }) => values.svname === row);
  if (found === undefined) throw new Error(`no row ${proxy},${row}`);
  return found.values;
}

/** Names of a proxy's rows. */
export function rowsOf(report: StatsReport, proxy: string): readonly unknown[] {
  return report.proxies.find(({ name }) => name === proxy)?.rows.map(({ values }) => values.svname) ?? [];
}
