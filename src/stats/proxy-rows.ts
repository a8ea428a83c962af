// Builds the rows of one proxy: frontend, servers, backend.

import type { Share } from "../domain/table/table.ts";
import type { ProxyValues } from "./input.ts";
import type { ColumnValues, RowAdmin, StatsRow } from "./report.ts";

/** A server, before it becomes a row of columns. */
export type ServerRow = {
  readonly name: string;
  /** HAProxy's status: `UP`, `UP 2/3`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check`. */
  readonly status: string;
  /** How the data plane balances to it; null if it does not. */
  readonly share: Share | null;
  /** The configured weight. */
  readonly weight: number;
  readonly backup: boolean;
  readonly admin: RowAdmin;
  /** All other columns. */
  readonly values: ColumnValues;
};

/** HAProxy's numbers of row kinds. */
const rowTypes = { frontend: 0, backend: 1, server: 2 } as const;

/**
 * @param servers in order; a repeated name is changed, since readers go by name
 * @param traffic of the frontend and the backend
 * @param backend other columns of the backend
 */
export function proxyRows(
  proxy: { readonly name: string; readonly iid: number; readonly mode?: "http" | "tcp" },
  servers: readonly ServerRow[],
  traffic: ProxyValues,
  backend: ColumnValues,
): readonly StatsRow[] {
  const head = { pxname: proxy.name, pid: 1, iid: proxy.iid, mode: proxy.mode ?? "http" };
  const frontend = { ...head, svname: "FRONTEND", status: "OPEN", sid: 0, type: rowTypes.frontend };
  return [
    { kind: "frontend", values: { ...traffic.frontend, ...frontend } },
    ...withUniqueNames(servers).map(
      (server, index): StatsRow => ({
        kind: "server",
        values: { ...head, ...serverRowValues(server), sid: index + 1 },
        admin: server.admin,
      }),
    ),
    { kind: "backend", values: { ...traffic.backend, ...backend, ...head, ...backendRowValues(servers) } },
  ];
}

function withUniqueNames(servers: readonly ServerRow[]): readonly ServerRow[] {
  const taken = new Set(["FRONTEND", "BACKEND"]);
  return servers.map((server) => {
    let { name } = server;
    while (taken.has(name)) name += "'";
    taken.add(name);
    return { ...server, name };
  });
}

function serverRowValues({ name, status, share, weight, backup, values }: ServerRow): ColumnValues {
  return {
    ...values,
    svname: name,
    status,
    type: rowTypes.server,
    weight: share?.weight ?? weight,
    uweight: weight,
    act: backup ? 0 : 1,
    bck: backup ? 1 : 0,
  };
}

/** UP while any server gets requests. Without servers it is DOWN, as its clients get 503; HAProxy says UP. */
function backendRowValues(servers: readonly ServerRow[]): ColumnValues {
  const usable = servers.flatMap(({ share }) => (share !== null && isUsable(share) ? share : []));
  const weight = usable.reduce((sum, share) => sum + share.weight, 0);
  const backups = usable.filter(({ backup }) => backup === true).length;
  return {
    svname: "BACKEND",
    status: weight > 0 ? "UP" : "DOWN",
    sid: 0,
    type: rowTypes.backend,
    weight,
    uweight: weight,
    act: usable.length - backups,
    bck: backups,
  };
}

/** True if it gets new requests. */
function isUsable({ weight, drain }: Share): boolean {
  return weight > 0 && drain !== true;
}
