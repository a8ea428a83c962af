// Static servers in the JSON of the native routes.

import { z } from "zod";
import { checkStatuses } from "../domain/model/check-result.ts";
import {
  adminStates,
  defaultHttpCheck,
  type ServerSpec,
  serverDefaults,
  withCheckDefaults,
} from "../domain/model/server.ts";

const whole = z.int();

const Expect = z.strictObject({
  kind: z.enum(["status", "rstatus", "string", "rstring"]),
  pattern: z.string(),
  not: z.boolean().default(false),
});

const HttpCheck = z.strictObject({
  method: z.string().default(defaultHttpCheck.method),
  uri: z.string().default(defaultHttpCheck.uri),
  version: z.enum(["HTTP/1.0", "HTTP/1.1"]).default(defaultHttpCheck.version),
  headers: z
    .array(z.strictObject({ name: z.string(), value: z.string() }))
    .max(50)
    .default([]),
  expect: Expect.nullable().default(null),
  disableOn404: z.boolean().default(false),
});

const Check = z.strictObject({
  http: HttpCheck.nullish(),
  port: whole.nullish(),
  tls: z.boolean().optional(),
  interMs: whole.optional(),
  fastInterMs: whole.optional(),
  downInterMs: whole.optional(),
  timeoutMs: whole.optional(),
  rise: whole.optional(),
  fall: whole.optional(),
});

/** A requested server. Absent fields get HAProxy's defaults; an unknown field is refused. */
export const ServerBody = z.strictObject({
  name: z.string(),
  host: z.string(),
  port: whole,
  tls: z.boolean().default(serverDefaults.tls),
  weight: whole.default(serverDefaults.weight),
  backup: z.boolean().default(serverDefaults.backup),
  maxConn: whole.default(serverDefaults.maxConn),
  cookie: z.string().nullable().default(serverDefaults.cookie),
  /** Null: not checked. `{}`: checked with HAProxy's defaults. */
  check: Check.nullable().default(null),
});
export type ServerBody = z.input<typeof ServerBody>;

/** POST /mesh/servers. */
export const ServerCreate = z.strictObject({
  service: z.string().min(1),
  server: ServerBody,
  admin: z.enum(adminStates).default("ready"),
});

/** POST /mesh/admin. */
export const AdminBody = z.strictObject({
  kind: z.enum(["server", "task", "node"]),
  ref: z.string().min(1),
  state: z.enum(adminStates),
});

/** A server in the response of GET /mesh/servers. Times in epoch milliseconds. */
export const ServerStatus = z.object({
  id: z.string(),
  /** Name of its service. */
  service: z.string(),
  version: whole,
  admin: z.enum(adminStates),
  spec: z.object({
    name: z.string(),
    host: z.string(),
    port: whole,
    tls: z.boolean(),
    weight: whole,
    backup: z.boolean(),
    maxConn: whole,
    cookie: z.string().nullable(),
    check: z.looseObject({ interMs: whole, rise: whole, fall: whole, http: z.unknown() }).nullable(),
  }),
  /** In HAProxy's words: `UP`, `UP 2/3`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check`. */
  status: z.string(),
  /** `L7OK/200 in 3ms`; empty before the first check. */
  lastCheck: z.string(),
  /** Time of the last status change; null: not checked. */
  sinceMs: whole.nullable(),
  /** HAProxy's Chk, Dwn and Dwntme. */
  fails: whole,
  downs: whole,
  downtimeMs: whole,
  /**
   * HAProxy's check_status, check_code and check_duration, and what an operator must know besides; null before
   * the first check.
   */
  last: z
    .object({
      word: z.enum(checkStatuses),
      code: whole.nullable(),
      durationMs: whole,
      detail: z.string().optional(),
    })
    .nullable(),
  /** The counter of each region, 0 to rise+fall-1. */
  regions: z.record(z.string(), whole),
});
export type ServerStatus = z.infer<typeof ServerStatus>;

export function isTakingRequests({ status }: Pick<ServerStatus, "status">): boolean {
  return status.startsWith("UP") || status === "no check";
}

export function serverSpecOf({ check, ...rest }: z.output<typeof ServerBody>): ServerSpec {
  return {
    ...rest,
    check:
      check === null
        ? null
        : withCheckDefaults({ ...check, port: check.port ?? null, http: check.http ?? null }, rest),
  };
}
