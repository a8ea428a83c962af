// Acts on the Workers of a mesh under the platform's rules from outside: resets Durable Objects now and then, and
// measures the memory and the CPU time that the platform limits.

import { readFileSync } from "node:fs";
import type { Miniflare } from "miniflare";
import WebSocket from "ws";
import type { PlatformCounts, PlatformSettings } from "./platform/platform-settings.ts";
import { pauseMs, seededRandom } from "./platform/seeded-random.ts";

/** What a mesh under the rules did so far. */
export type PlatformReport = PlatformCounts & {
  /** Objects that were reset. */
  readonly resets: number;
  /** Largest heap seen of the isolate with the control API and all objects, and of one of the data plane. Bytes. */
  readonly heap: { readonly objects: number; readonly isolate: number };
  /** CPU time of workerd for each request of the data plane, milliseconds; null before the first request. */
  readonly cpuMsPerRequest: number | null;
};

export type PlatformWatchOptions = {
  readonly settings: PlatformSettings;
  /** Opens the Worker's socket for this process. */
  readonly entryKey: string;
  readonly miniflare: Pick<Miniflare, "dispatchFetch" | "getInspectorURL">;
  /** Process id of the running workerd. */
  readonly workerdPid: () => number | null;
  readonly onEvent: (event: string) => void;
  readonly onReport: (report: PlatformReport) => void;
};

/** Time between two reports, milliseconds. */
const reportEveryMs = 2_000;
/** A target of the inspector that does not answer is left out. Milliseconds. */
const inspectorTimeoutMs = 1_000;
/** Linux counts CPU time in hundredths of a second. */
const msPerTick = 10;

export class PlatformWatch {
  readonly #options: PlatformWatchOptions;
  readonly #stopping = new AbortController();
  #resets = 0;
  #heap = { objects: 0, isolate: 0 };
  #reporting: Promise<void> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];

  constructor(options: PlatformWatchOptions) {
    this.#options = options;
    const { resetEveryMs, seed } = options.settings;
    const random = seededRandom(seed + 1);
    const resetNext = (): void => {
      const timer = setTimeout(
        () => void this.#reset(random()).finally(resetNext),
        pauseMs(resetEveryMs, random),
      );
      this.#timers = [...this.#timers.slice(0, 1), timer];
    };
    this.#timers = [setInterval(() => this.#report(), reportEveryMs)];
    if (resetEveryMs > 0) resetNext();
  }

  /** Sends the last report. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#report();
    await this.#reporting;
    this.#stopping.abort();
  }

  /** @param random in [0, 1), chooses the object */
  async #reset(random: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      const answer = await this.#call({ method: "POST", body: JSON.stringify({ random }) });
      const { reset } = answer as { readonly reset: string | null };
      if (reset === null) return;
      this.#resets += 1;
      this.#options.onEvent(`the object ${reset} was reset`);
    } catch {
      // workerd is starting.
    }
  }

  #report(): void {
    this.#reporting = this.#reporting.then(() => this.#measure()).catch(() => undefined);
  }

  async #measure(): Promise<void> {
    const counts = (await this.#call({ method: "GET" })) as PlatformCounts;
    await this.#measureHeaps();
    const pid = this.#options.workerdPid();
    const cpuMs = pid === null ? 0 : cpuTimeMs(pid);
    this.#options.onReport({
      ...counts,
      resets: this.#resets,
      heap: { ...this.#heap },
      cpuMsPerRequest: counts.requests === 0 ? null : cpuMs / counts.requests,
    });
  }

  async #measureHeaps(): Promise<void> {
    const inspector = await this.#options.miniflare.getInspectorURL();
    const list = await fetch(new URL("/json/list", inspector.href.replace(/^ws/, "http")));
    const targets = (await list.json()) as readonly InspectorTarget[];
    for (const { id, webSocketDebuggerUrl } of currentTargets(targets)) {
      const bytes = await heapBytes(webSocketDebuggerUrl);
      const kind = id.startsWith("LOADER:") ? "isolate" : "objects";
      this.#heap[kind] = Math.max(this.#heap[kind], bytes);
    }
  }

  async #call(init: { readonly method: string; readonly body?: string }): Promise<unknown> {
    const { miniflare, entryKey } = this.#options;
    const headers = { authorization: entryKey };
    return (await miniflare.dispatchFetch("http://platform/", { ...init, headers })).json();
  }
}

type InspectorTarget = { readonly id: string; readonly webSocketDebuggerUrl: string };

/** The Worker itself, and the newest isolate of each place: `LOADER:isolate-2-7`. Evicted ones stay on the list. */
export function currentTargets(targets: readonly InspectorTarget[]): readonly InspectorTarget[] {
  const newest = new Map<string, { readonly generation: number; readonly target: InspectorTarget }>();
  for (const target of targets) {
    const [, place, number] = /^LOADER:isolate-(\d+)-(\d+)$/.exec(target.id) ?? [];
    const generation = Number(number ?? 0);
    const key = place ?? (target.id === "core:user:waggle" ? "worker" : null);
    if (key === null || generation < (newest.get(key)?.generation ?? 0)) continue;
    newest.set(key, { generation, target });
  }
  return [...newest.values()].map(({ target }) => target);
}

/** The size of an isolate's heap; 0 if its inspector does not answer. */
function heapBytes(url: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const finish = (bytes: number): void => {
      clearTimeout(timer);
      socket.terminate();
      resolve(bytes);
    };
    const timer = setTimeout(finish, inspectorTimeoutMs, 0);
    socket.on("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })));
    socket.on("message", (data) => {
      const { id, result } = JSON.parse(String(data)) as {
        readonly id?: number;
        readonly result?: { readonly usedSize?: number };
      };
      if (id === 1) finish(result?.usedSize ?? 0);
    });
    socket.on("error", () => finish(0));
  });
}

/** User and system time of a process so far; 0 where that is unknown. */
function cpuTimeMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * msPerTick;
  } catch {
    return 0;
  }
}
