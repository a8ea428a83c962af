// The report: the content of the statistics as one value, which page, CSV and JSON print without additions.

import type { AdminState } from "../domain/model/server.ts";
import type { AdminTarget } from "../registry/api.ts";
import type { ColumnName, RowKind } from "./columns.ts";

/** The values of a row; other columns are printed empty. */
export type ColumnValues = { readonly [Name in ColumnName]?: number | string };

export type StatsRow = {
  readonly kind: RowKind;
  readonly values: ColumnValues;
  /** Servers only. */
  readonly admin?: RowAdmin;
};

/** The target of an action on a server, and its current state. */
export type RowAdmin = { readonly target: AdminTarget; readonly state: AdminState };

/** A published service, or the balancer over the nodes; in HAProxy, one `listen` section. */
export type StatsProxy = {
  readonly name: string;
  /** HAProxy's `iid`, which stays the same when proxies are added or removed. */
  readonly iid: number;
  /** A description, such as `service, mode http`. */
  readonly what: string;
  /** In order: the frontend, the servers, the backend. */
  readonly rows: readonly StatsRow[];
};

export type StatsReport = {
  readonly mesh: {
    readonly name: string;
    readonly tableVersion: number;
    /** Seconds since the mesh was created. */
    readonly uptimeS: number;
    readonly nodes: { readonly ready: number; readonly total: number };
    readonly tasks: { readonly running: number; readonly desired: number };
  };
  readonly proxies: readonly StatsProxy[];
};

export function rowName({ values }: StatsRow): string {
  return String(values.svname);
}
