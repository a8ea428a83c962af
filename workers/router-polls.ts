// Polls of routers outside of the Workers: each waits in the registry object until the routing table changes.
//
// The response carries the keys of the mesh, so it is given only for the credential of a node, which is
// checked again when the wait is over: the node may have been removed meanwhile.

import { routerRefusal } from "../src/protocol/router.ts";
import type { RouterMesh, RouterTableResponse } from "../src/registry/api.ts";
import type { Registry } from "../src/registry/registry.ts";

/** The longest wait, milliseconds; below the timeouts of proxies, which are 60 s and more. */
const maxPollWaitMs = 25_000;

export type TablePoll = {
  readonly nodeId: string;
  readonly credential: string;
  readonly afterVersion: number;
  readonly waitMs: number;
};

/** Reads a poll. A string is the reason why it cannot be read. */
export function readTablePoll({ url, headers }: Request): TablePoll | string {
  const query = new URL(url).searchParams;
  const after = query.get("after") ?? "-1";
  const wait = query.get("wait") ?? "0";
  if (!/^(?:-1|\d{1,15})$/.test(after))
    return `cannot read after=${after.slice(0, 40)}: a table version, or -1`;
  if (!/^\d{1,4}$/.test(wait)) return `cannot read wait=${wait.slice(0, 40)}: whole seconds`;
  return {
    nodeId: headers.get("x-waggle-node") ?? "",
    credential: /^Bearer (\S{1,200})$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "",
    afterVersion: Number(after),
    waitMs: Math.min(Number(wait) * 1_000, maxPollWaitMs),
  };
}

type RouterPollsOptions = {
  readonly registry: Registry;
  readonly mesh: RouterMesh;
  /** See RouterTable. */
  readonly tokenMarks: readonly string[];
  /** Runs work on the registry and carries out its effects. */
  readonly run: <T>(work: () => T) => T;
};

export class RouterPolls {
  readonly #options: RouterPollsOptions;
  /** By node, what ends its waiting poll. A node has one router. */
  readonly #waiting = new Map<string, () => void>();

  constructor(options: RouterPollsOptions) {
    this.#options = options;
  }

  /** Answers a poll with a newer table at once, else when there is one or the wait is over. */
  async answer(poll: TablePoll): Promise<Response> {
    const { nodeId, afterVersion, waitMs } = poll;
    const first = this.#poll(poll);
    if (typeof first === "string") return refusal(first, nodeId);
    // A router with a newer table than this registry learns of it at once.
    if (first.text !== null || first.version < afterVersion || waitMs === 0) return this.#respond(first);
    await this.#wait(nodeId, waitMs);
    const last = this.#poll(poll);
    return typeof last === "string" ? refusal(last, nodeId) : this.#respond(last);
  }

  /** Ends the waits of all nodes: there is a newer table. */
  wakeAll(): void {
    for (const end of [...this.#waiting.values()]) end();
  }

  /** Ends the wait of a node: it may have been removed. */
  wake(nodeId: string): void {
    this.#waiting.get(nodeId)?.();
  }

  #poll({ nodeId, credential, afterVersion }: TablePoll): RouterTableResponse | "refused" | "unlisted" {
    const { registry, run } = this.#options;
    const access = registry.routerAccess(nodeId, credential);
    return access !== "granted" ? access : run(() => registry.pollTable(nodeId, afterVersion));
  }

  async #wait(nodeId: string, waitMs: number): Promise<void> {
    const { registry } = this.#options;
    // A second poll of the node replaces the first, whose router may be gone.
    this.wake(nodeId);
    registry.holdRouter(nodeId);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(nodeId, resolve);
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    if (this.#waiting.get(nodeId) === resolve) this.#waiting.delete(nodeId);
    registry.releaseRouter(nodeId);
  }

  #respond(table: RouterTableResponse): Response {
    const { mesh, tokenMarks } = this.#options;
    return Response.json({ ...table, tokenMarks, mesh }, { headers: { "cache-control": "no-store" } });
  }
}

function refusal(access: "refused" | "unlisted", nodeId: string): Response {
  const { status, message } = routerRefusal(access, nodeId);
  return Response.json({ message }, { status });
}
