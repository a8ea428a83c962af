// What crosses the wire between the control API and a router outside of the Workers; see control/router.ts.

import { z } from "zod";

const key = z.string().min(1).max(200);

/** The reply to a poll for a table newer than the router's. The keys are secrets of the mesh. */
export const RouterTable = z.object({
  version: z.number().int().nonnegative(),
  /** Null if there is no newer table. If the poll names formats, it may be the change from the router's version. */
  text: z.string().nullable(),
  /** Signs sticky cookies; only with a text, or if the keys changed. */
  cookieKey: key.optional(),
  /** Prove attempts to gateways; only with a text, or if the keys changed. */
  gatewayKeys: z
    .array(z.object({ id: key, secret: key }))
    .max(16)
    .optional(),
  /** Marks of the operator's and the viewer's token, which stop at routers; see `tokenMark`. */
  tokenMarks: z.array(z.string().max(40)).max(8).optional(),
  /** How the mesh is configured: its name in Via and loop marks, and the domain of its services. */
  mesh: z.object({ name: z.string().max(200), domain: z.string().max(253) }),
});
export type RouterTable = z.infer<typeof RouterTable>;

/**
 * Reads the table formats that a client names in its query, the newest first: `3,2`. Undefined if it names none, as
 * clients of earlier releases; it gets whole tables only. Null if they cannot be read.
 */
export function readTableFormats(text: string | null | undefined): readonly number[] | undefined | null {
  if (text === null || text === undefined) return undefined;
  return /^\d{1,4}(?:,\d{1,4}){0,15}$/.test(text) ? text.split(",").map(Number) : null;
}

/** The refusal of a machine that may not use these routes; see RouterAccess. */
export function routerRefusal(
  access: "refused" | "unlisted" | "new",
  nodeId: string,
): { readonly status: 401 | 403 | 503; readonly message: string } {
  const node = `node ${nodeId.slice(0, 40)}`;
  if (access === "new")
    return { status: 503, message: `this mesh is new and does not know ${node} yet: a restore may bring it` };
  return access === "refused"
    ? { status: 401, message: `${node} is not a member or its credential is wrong: join again` }
    : { status: 403, message: `${node} opens no published ports: start its agent with --ingress` };
}

/** Tasks that do not respond to a router. */
export const SuspectsReport = z.object({ taskIds: z.array(z.string().max(50)).max(100) });
