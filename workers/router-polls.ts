// Polls of routers outside of the Workers: each waits in the registry object until the routing table changes.
//
// The response carries the keys of the mesh, so it is given only for the credential of a node, which is
// checked again when the wait is over: the node may have been removed meanwhile.

import { readTableFormats, routerRefusal } from "../src/protocol/router.ts";
import type { RouterAccess, RouterMesh, TableResponse } from "../src/registry/api.ts";
import type { Registry } from "../src/registry/registry.ts";
import { formatRefusal } from "../src/registry/table-formats.ts";
import type { RouterWaits } from "./router-waits.ts";

export type TablePoll = {
  readonly nodeId: string;
  readonly credential: string;
  readonly afterVersion: number;
  /** Formats of the table that the router reads; absent: it is of an earlier release, and reads whole tables. */
  readonly formats: readonly number[] | undefined;
  readonly waitMs: number;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
};

/** Reads a poll. A string is the reason why it cannot be read. */
export function readTablePoll({ url, headers, signal }: Request): TablePoll | string {
  const query = new URL(url).searchParams;
  const after = query.get("after") ?? "-1";
  const wait = query.get("wait") ?? "0";
  if (!/^(?:-1|\d{1,15})$/.test(after))
    return `cannot read after=${after.slice(0, 40)}: a table version, or -1`;
  if (!/^\d{1,4}$/.test(wait)) return `cannot read wait=${wait.slice(0, 40)}: whole seconds`;
  const formats = readTableFormats(query.get("formats"));
  if (formats === null) return "cannot read formats: numbers, the newest first, such as 3,2";
  return {
    nodeId: headers.get("x-waggle-node") ?? "",
    credential: /^Bearer (\S{1,200})$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "",
    afterVersion: Number(after),
    formats,
    waitMs: Number(wait) * 1_000,
    signal,
  };
}

type RouterPollsOptions = {
  readonly registry: Registry;
  readonly waits: RouterWaits;
  readonly mesh: RouterMesh;
  /** See RouterTable. */
  readonly tokenMarks: readonly string[];
  /** Runs work on the registry and carries out its effects. */
  readonly run: <T>(work: () => T) => T;
};

export class RouterPolls {
  readonly #options: RouterPollsOptions;

  constructor(options: RouterPollsOptions) {
    this.#options = options;
  }

  /** Answers a poll with a newer table at once, else when there is one, or new keys, or the wait is over. */
  async answer(poll: TablePoll): Promise<Response> {
    const { nodeId, afterVersion, formats, waitMs, signal } = poll;
    const { registry, waits, run } = this.#options;
    const access = this.#access(poll);
    if (access !== "granted") return refusal(access, nodeId);
    run(() => registry.recordRouter(nodeId, afterVersion));
    const formatProblem = formats === undefined ? null : formatRefusal(formats);
    if (formatProblem !== null) return Response.json({ message: formatProblem }, { status: 406 });
    const keysBefore = registry.keysVersion;
    await waits.forNews({ routerId: nodeId, afterVersion, waitMs, signal });
    const lastAccess = this.#access(poll);
    if (lastAccess !== "granted") return refusal(lastAccess, nodeId);
    const table = registry.table(afterVersion, undefined, formats);
    return this.#respond(table, table.text !== null || registry.keysVersion !== keysBefore);
  }

  #access({ nodeId, credential }: TablePoll): RouterAccess {
    return this.#options.registry.routerAccess(nodeId, credential);
  }

  #respond(table: TableResponse, hasKeys: boolean): Response {
    const { registry, mesh, tokenMarks } = this.#options;
    const keys = hasKeys ? registry.routerKeys() : {};
    return Response.json(
      { ...table, ...keys, tokenMarks, mesh },
      { headers: { "cache-control": "no-store" } },
    );
  }
}

function refusal(access: Exclude<RouterAccess, "granted">, nodeId: string): Response {
  const { status, message } = routerRefusal(access, nodeId);
  return Response.json({ message }, { status });
}
