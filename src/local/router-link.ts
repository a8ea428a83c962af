// The link of a machine's data plane to the mesh: a poll that waits at the registry for the next routing table,
// and the last table with its keys in the state folder, so that requests are routed while the registry is
// unreachable, also after a restart.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { routeUrl } from "../agent/join.ts";
import { wait } from "../agent/wait.ts";
import { isTableChange, readTableUpdate } from "../domain/table/apply-change.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { printTable, readableTableFormats, readTable } from "../domain/table/text.ts";
import { readJsonFile } from "../os/files.ts";
import type { JoinReply } from "../protocol/agent.ts";
import { RouterTable } from "../protocol/router.ts";
import { StateFile } from "./state-file.ts";

/** How long a poll waits at the registry, seconds. */
const pollWaitS = 25;
/** A response that is this late is lost, milliseconds. */
const pollTimeoutMs = (pollWaitS + 10) * 1_000;
/** Timeout of a report to the mesh, milliseconds. */
const sendTimeoutMs = 5_000;
/**
 * Longest delay after a failed poll, milliseconds. Shorter than the time after which the registry takes a
 * silent router for gone (src/registry/routers.ts).
 */
const maxRetryMs = 1_000;
/** Shortest time from one poll to the next if the first brought no newer table, milliseconds. */
const minPollMs = 1_000;

/** A table with the keys that go with it. */
const SavedTable = RouterTable.extend({ text: z.string(), nodeId: z.string() });
export type SavedTable = z.infer<typeof SavedTable>;

export type RouterLinkOptions = {
  /** The control URL of the mesh. */
  readonly url: string;
  readonly membership: JoinReply;
  readonly stateDir: string;
  /**
   * Routes requests by a newer table. Resolves with the version that they are routed by then.
   *
   * @param table `saved`, read
   */
  readonly onTable: (saved: SavedTable, table: RoutingTable) => Promise<number>;
  readonly log: (line: string) => void;
};

/** Headers of a response, by lower-case name. */
export type ReplyHeaders = Readonly<Record<string, string>>;

/** Headers about the connection to the mesh and the coding of its bytes. */
const droppedReplyHeaders = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "keep-alive",
  "transfer-encoding",
]);

/** The response to a report. */
type SentReport = { readonly status: number; readonly text: string };

/** Removes the last table and its keys from a state folder. */
export function removeSavedTable(stateDir: string): void {
  rmSync(savedTablePath(stateDir), { force: true });
}

function savedTablePath(stateDir: string): string {
  return join(stateDir, "router.json");
}

/** @see docs/decisions/0076-routers-on-machines.md */
export class RouterLink {
  readonly #options: RouterLinkOptions;
  readonly #file: StateFile;
  readonly #path: string;
  readonly #stopping = new AbortController();
  readonly #polling = new AbortController();
  #held: SavedTable | null;
  /** The table of `#held`, once it was read. */
  #table: RoutingTable | null = null;
  /** True: the last change could not be applied. */
  #needsWhole = false;
  /** The version that requests are routed by, which the registry learns from the next poll. */
  #routedVersion = -1;
  #problem: string | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RouterLinkOptions) {
    this.#options = options;
    this.#path = savedTablePath(options.stateDir);
    this.#file = new StateFile(this.#path, options.log);
    const saved = readJsonFile(this.#path, SavedTable);
    this.#held = saved?.nodeId === options.membership.nodeId ? saved : null;
  }

  /** The newest table; null before the first. */
  get held(): SavedTable | null {
    return this.#held;
  }

  /** Why the table held may not be the newest; null if it is. */
  get problem(): string | null {
    return this.#problem;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Polls no more, because another process of this machine does. Reports are still sent. */
  async stopPolling(): Promise<void> {
    this.#polling.abort();
    this.#file.close();
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.stopPolling();
  }

  /** Sends a report to the mesh. @param route `suspects`, `counters`; rejects if the mesh is unreachable */
  async send(route: string, body: string): Promise<SentReport> {
    const response = await fetch(routeUrl(this.#options.url, `mesh/router/${route}`), {
      method: "POST",
      headers: { ...this.#credentials(), "content-type": "application/json" },
      body,
      redirect: "error",
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(sendTimeoutMs)]),
    });
    return { status: response.status, text: await response.text() };
  }

  /**
   * Asks the mesh for its statistics. Rejects if it is unreachable.
   *
   * @param search the query of src/control/router.ts's route
   * @param authorization of the client; the mesh checks it
   */
  async stats(
    search: string,
    authorization: string,
  ): Promise<SentReport & { readonly headers: ReplyHeaders }> {
    const target = routeUrl(this.#options.url, "mesh/router/stats");
    target.search = search;
    const response = await fetch(target, {
      headers: { ...this.#credentials(), "x-waggle-authorization": authorization },
      redirect: "error",
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(sendTimeoutMs)]),
    });
    const headers = [...response.headers].filter(([name]) => !droppedReplyHeaders.has(name));
    return { status: response.status, text: await response.text(), headers: Object.fromEntries(headers) };
  }

  /** Sends a report of this process. Rejects if it has to be sent again; a refused one is logged. */
  async report(route: "suspects" | "counters", body: object): Promise<void> {
    const { status, text } = await this.send(route, JSON.stringify(body));
    if (status === 400) this.#options.log(`the mesh refused a report of ${route}: ${text.slice(0, 200)}`);
    else if (status >= 300) throw new Error(`${status}: ${text.slice(0, 200)}`);
  }

  async #run(): Promise<void> {
    const { signal } = this.#polling;
    try {
      if (this.#held !== null) await this.#routeBy(this.#held);
    } catch (error) {
      this.#options.log(`cannot use the saved routing table: ${(error as Error).message}`);
      this.#held = null;
    }
    // Only a poll that does not wait shows soon whether the registry responds.
    let isConnected = false;
    while (!signal.aborted) {
      const startedMs = performance.now();
      const waitS = isConnected ? pollWaitS : 0;
      try {
        const { isMember = true, isNewer, problem } = await this.#poll(waitS);
        isConnected = true;
        this.#setProblem(problem);
        if (!isMember) return this.#forget();
        if (!isNewer && waitS > 0) await wait(Math.max(0, startedMs + minPollMs - performance.now()), signal);
      } catch (error) {
        if (signal.aborted) return;
        isConnected = false;
        this.#setProblem(`the registry is unreachable: ${reasonOf(error)}`);
        await wait(maxRetryMs * (0.25 + 0.75 * Math.random()), signal);
      }
    }
  }

  async #poll(waitS: number): Promise<PollResult> {
    const target = routeUrl(this.#options.url, "mesh/router/table");
    const formats = this.#needsWhole ? "" : `&formats=${readableTableFormats.join()}`;
    target.search = `?after=${this.#routedVersion}&wait=${waitS}${formats}`;
    const response = await fetch(target, {
      headers: this.#credentials(),
      redirect: "error",
      signal: AbortSignal.any([this.#polling.signal, AbortSignal.timeout(pollTimeoutMs)]),
    });
    const text = await response.text();
    if (response.status === 401)
      return { isMember: false, isNewer: false, problem: "this machine was removed" };
    if (!response.ok)
      throw new Error(`${target.origin} responded with ${response.status}: ${text.slice(0, 200)}`);
    return this.#take(RouterTable.parse(JSON.parse(text)));
  }

  async #take(sent: RouterTable): Promise<PollResult> {
    const heldVersion = this.#held?.version ?? -1;
    if (sent.version < heldVersion) {
      const problem = `the registry has table version ${sent.version}, older than ${heldVersion}, by which requests are routed: was its database restored? To follow it, stop this machine's process, remove router.json and start it`;
      return { isNewer: false, problem };
    }
    if (sent.text === null) {
      this.#takeSecrets(sent);
      return { isNewer: false, problem: null };
    }
    const { version } = sent;
    const isNewer = version > heldVersion;
    if (isNewer) {
      const table = this.#read(sent.text);
      if (table === null) return { isNewer: false, problem: null };
      this.#table = table;
      this.#held = { ...sent, text: printTable(table), nodeId: this.#options.membership.nodeId };
      this.#file.write(this.#held);
    }
    const before = this.#routedVersion;
    if (this.#held !== null) await this.#routeBy(this.#held);
    return { isNewer: isNewer && this.#routedVersion > before, problem: null };
  }

  /**
   * Reads a whole table, or applies a change to the one held. Null if that is another one than the registry thinks:
   * then the next poll gets the whole table.
   */
  #read(text: string): RoutingTable | null {
    if (this.#needsWhole) {
      this.#needsWhole = false;
      return readTable(text);
    }
    try {
      return readTableUpdate(text, this.#table);
    } catch (error) {
      if (!isTableChange(text)) throw error;
      this.#needsWhole = true;
      this.#options.log(`${(error as Error).message}; the whole table is fetched`);
      return null;
    }
  }

  /** Operators may have replaced a token or the keys while the table stayed. */
  #takeSecrets({ tokenMarks = [], cookieKey, gatewayKeys }: RouterTable): void {
    if (this.#held === null) return;
    const keys = { ...(cookieKey && { cookieKey }), ...(gatewayKeys && { gatewayKeys }) };
    const hasSameMarks = tokenMarks.join() === (this.#held.tokenMarks ?? []).join();
    if (hasSameMarks && Object.keys(keys).length === 0) return;
    this.#held = { ...this.#held, tokenMarks, ...keys };
    this.#file.write(this.#held);
  }

  async #routeBy(saved: SavedTable): Promise<void> {
    this.#table ??= readTable(saved.text);
    this.#routedVersion = await this.#options.onTable(saved, this.#table);
  }

  /** Logs a problem when it begins and when it is over, but not with each attempt. */
  #setProblem(problem: string | null): void {
    if (problem === this.#problem) return;
    const { log } = this.#options;
    if (problem !== null) {
      const version = this.#held?.version;
      log(
        `${problem}; ${version === undefined ? "no request is routed" : `requests are routed by table version ${version}`}`,
      );
    } else log("the registry responds again");
    this.#problem = problem;
  }

  /** The mesh's keys are no longer this machine's. */
  #forget(): void {
    this.#file.close();
    removeSavedTable(this.#options.stateDir);
  }

  #credentials(): Record<string, string> {
    const { nodeId, credential } = this.#options.membership;
    return { authorization: `Bearer ${credential}`, "x-waggle-node": nodeId };
  }
}

type PollResult = {
  /** Absent: true. */
  readonly isMember?: boolean;
  /** True if requests are routed by a newer table than before. */
  readonly isNewer: boolean;
  readonly problem: string | null;
};

/** The message of a failed fetch. The error itself only says "fetch failed"; its cause has the reason. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
