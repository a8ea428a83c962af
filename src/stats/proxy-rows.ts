// The rows of one proxy, put together: what HAProxy says of every frontend, server and backend.

import type { Share } from "../domain/table/table.ts";
import type { ProxyValues } from "./input.ts";
import type { ColumnValues, RowAdmin, StatsRow } from "./report.ts";

/** A server as the report has it, before its row is printed. */
export type ServerRow = {
  readonly name: string;
  /** HAProxy's words: `UP`, `UP 2/3`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check`. */
  readonly status: string;
  /** How the data plane picks it; null: it does not. */
  readonly share: Share | null;
  /** The operator's weight for it. */
  readonly weight: number;
  readonly backup: boolean;
  readonly admin: RowAdmin;
  /** Everything else that is known of it. */
  readonly values: ColumnValues;
};

/** HAProxy's numbers for kinds of rows. */
const rowTypes = { frontend: 0, backend: 1, server: 2 } as const;

/**
 * @param lines in their order; of two with one name the second is called otherwise, as readers go by name
 * @param backend what else is known of the backend
 */
export function proxyRows(
  proxy: { readonly name: string; readonly iid: number },
  lines: readonly ServerRow[],
  counted: ProxyValues,
  backend: ColumnValues,
): readonly StatsRow[] {
  const head = { pxname: proxy.name, pid: 1, iid: proxy.iid, mode: "http" };
  const frontend = { ...head, svname: "FRONTEND", status: "OPEN", sid: 0, type: rowTypes.frontend };
  return [
    { kind: "frontend", values: { ...counted.frontend, ...frontend } },
    ...withUniqueNames(lines).map(
      (line, index): StatsRow => ({
        kind: "server",
        values: { ...head, ...serverRowValues(line), sid: index + 1 },
        admin: line.admin,
      }),
    ),
    { kind: "backend", values: { ...counted.backend, ...backend, ...head, ...backendRowValues(lines) } },
  ];
}

function withUniqueNames(lines: readonly ServerRow[]): readonly ServerRow[] {
  const taken = new Set(["FRONTEND", "BACKEND"]);
  return lines.map((line) => {
    let { name } = line;
    while (taken.has(name)) name += "'";
    taken.add(name);
    return { ...line, name };
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

/** Up while any server takes requests. HAProxy calls one without servers up; here it answers 503, and is down. */
function backendRowValues(lines: readonly ServerRow[]): ColumnValues {
  const taking = lines.flatMap(({ share }) => (share !== null && isUsable(share) ? share : []));
  const weight = taking.reduce((sum, share) => sum + share.weight, 0);
  const backups = taking.filter(({ backup }) => backup === true).length;
  return {
    svname: "BACKEND",
    status: weight > 0 ? "UP" : "DOWN",
    sid: 0,
    type: rowTypes.backend,
    weight,
    uweight: weight,
    act: taking.length - backups,
    bck: backups,
  };
}

/** Whether new requests are sent there. */
function isUsable({ weight, drain }: Share): boolean {
  return weight > 0 && drain !== true;
}
