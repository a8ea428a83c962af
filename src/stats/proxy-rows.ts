// The rows of one proxy, put together: what HAProxy says of every frontend, server and backend.

import type { RowValues } from "./input.ts";
import type { StatsRow, Values } from "./report.ts";

/** A server as the report has it, before its row is printed. */
export type ServerLine = {
  readonly name: string;
  /** HAProxy's words: `UP`, `UP 2/3`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check`. */
  readonly status: string;
  /** Takes requests in its turn. */
  readonly isActive: boolean;
  readonly weight: number;
  readonly backup: boolean;
  /** Everything else that is known of it. */
  readonly values: Values;
};

/** HAProxy's numbers for kinds of rows. */
const rowTypes = { frontend: 0, backend: 1, server: 2 } as const;

/** @param algorithm how servers are picked, in HAProxy's words */
export function proxyRows(
  proxy: { readonly name: string; readonly iid: number; readonly algorithm: string },
  servers: readonly ServerLine[],
  counted: RowValues,
): readonly StatsRow[] {
  const head = { pxname: proxy.name, pid: 1, iid: proxy.iid, mode: "http" };
  return [
    {
      kind: "frontend",
      values: {
        ...counted.frontend,
        ...head,
        svname: "FRONTEND",
        status: "OPEN",
        sid: 0,
        type: rowTypes.frontend,
      },
    },
    ...servers.map(
      (server, index): StatsRow => ({ kind: "server", values: serverValues(head, server, index + 1) }),
    ),
    {
      kind: "backend",
      values: { ...counted.backend, ...head, ...backendValues(servers), algo: proxy.algorithm },
    },
  ];
}

function serverValues(head: Values, server: ServerLine, sid: number): Values {
  const { name, status, weight, backup, values } = server;
  return {
    ...values,
    ...head,
    svname: name,
    status,
    sid,
    type: rowTypes.server,
    weight,
    uweight: weight,
    act: backup ? 0 : 1,
    bck: backup ? 1 : 0,
  };
}

/** Up while any server takes requests. HAProxy calls one without servers up; here it answers 503, and is down. */
function backendValues(servers: readonly ServerLine[]): Values {
  const active = servers.filter(({ isActive }) => isActive);
  const weight = active.reduce((sum, server) => sum + server.weight, 0);
  return {
    svname: "BACKEND",
    status: weight > 0 ? "UP" : "DOWN",
    sid: 0,
    type: rowTypes.backend,
    weight,
    uweight: weight,
    act: active.filter(({ backup }) => !backup).length,
    bck: active.filter(({ backup }) => backup).length,
  };
}
