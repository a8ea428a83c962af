// The report: what the statistics page, its CSV and its JSON say, as one value. Whoever prints it adds nothing.

import type { AdminState } from "../domain/model/server.ts";
import type { AdminTarget } from "../registry/api.ts";
import type { ColumnName, RowKind } from "./columns.ts";

/** What a row has a value for; everything else is printed empty. */
export type ColumnValues = { readonly [Name in ColumnName]?: number | string };

export type StatsRow = {
  readonly kind: RowKind;
  readonly values: ColumnValues;
  /** Of a server: what an operator's word about it is for, and what it is now. */
  readonly admin?: RowAdmin;
};

export type RowAdmin = { readonly target: AdminTarget; readonly state: AdminState };

/** A published service, or the balancer over the nodes: what HAProxy would have as one `listen` section. */
export type StatsProxy = {
  readonly name: string;
  /** HAProxy's `iid`: tells it from every other, whatever comes and goes. */
  readonly iid: number;
  /** What it is, for a person: `service, mode http`. */
  readonly what: string;
  /** The frontend, its servers, the backend: in this order. */
  readonly rows: readonly StatsRow[];
};

export type StatsReport = {
  readonly mesh: {
    readonly name: string;
    readonly tableVersion: number;
    /** Seconds since the mesh was founded. */
    readonly uptimeS: number;
    readonly nodes: { readonly ready: number; readonly total: number };
    readonly tasks: { readonly running: number; readonly desired: number };
  };
  readonly proxies: readonly StatsProxy[];
};

/** What a row is called in its proxy. */
export function rowName({ values }: StatsRow): string {
  return String(values.svname);
}
