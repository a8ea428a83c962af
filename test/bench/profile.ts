// A CPU profile of the data plane under load, from workerd's inspector: where the time of a request goes.

import { once } from "node:events";
import { WebSocket } from "ws";
import { serviceOf, startPlane, tableOf } from "../support/dataplane.ts";
import { printRows } from "./report.ts";
import { browserHeaders, runLoad, startTaskAndLoad } from "./traffic.ts";

export type ProfileOptions = {
  readonly warmUpMs: number;
  readonly durationMs: number;
  readonly connections: number;
  /** Functions shown. */
  readonly rows: number;
};

/** The parts of V8's profile that are read (Chrome DevTools Protocol, `Profiler.Profile`). */
type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** Node ids. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
};

/** Sampling changes what it measures: compare the shares, not the times. */
const samplingUs = 100;

export async function profileRequests(options: ProfileOptions): Promise<void> {
  const { backend, origin, load } = await startTaskAndLoad();
  const table = tableOf(1, serviceOf("my-web", 8080, [origin, origin]));
  const plane = await startPlane(table, {}, false, true);
  try {
    const send = (durationMs: number) =>
      runLoad(load, {
        host: "127.0.0.1",
        port: Number(new URL(plane.hostOrigin).port),
        authority: `my-web.${plane.domain}`,
        headers: browserHeaders,
        connections: options.connections,
        durationMs,
      });
    await send(options.warmUpMs);
    const inspector = await Inspector.connect(await plane.inspectorUrl());
    await inspector.call("Profiler.enable");
    await inspector.call("Profiler.setSamplingInterval", { interval: samplingUs });
    await inspector.call("Profiler.start");
    const { requests } = await send(options.durationMs);
    const { profile } = (await inspector.call("Profiler.stop")) as { readonly profile: CpuProfile };
    inspector.close();
    printProfile(profile, requests, options.rows);
  } finally {
    await plane.stop();
    load.kill();
    backend.kill();
  }
}

function printProfile(profile: CpuProfile, requests: number, count: number): void {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const selfUs = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? "unknown";
    if (name !== "(idle)") selfUs.set(name, (selfUs.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  const totalUs = [...selfUs.values()].reduce((sum, us) => sum + us, 0);
  const rows = [...selfUs]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name, us]) => [name, ((100 * us) / totalUs).toFixed(1), (us / requests).toFixed(1)]);
  printRows(`CPU profile of ${requests} requests, self time`, [
    ["function", "% of CPU", "µs/request"],
    ...rows,
  ]);
}

/** Functions of the runtime have no URL. */
function nameOf({ functionName, url }: { functionName: string; url: string }): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  return url === "" && !name.startsWith("(") ? `${name} (runtime)` : name;
}

/** A connection to workerd's inspector. */
class Inspector {
  readonly #socket: WebSocket;
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async connect(url: URL): Promise<Inspector> {
    const response = await fetch(new URL("/json", `http://${url.host}`));
    const targets = (await response.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
    const target = targets[0];
    if (target === undefined) throw new Error(`workerd lists no debugging target at ${url.host}`);
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await once(socket, "open");
    return new Inspector(socket);
  }

  async call(method: string, params: object = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise<unknown>((resolve) => {
      const listen = (data: Buffer) => {
        const message = JSON.parse(String(data)) as { readonly id?: number; readonly result?: unknown };
        if (message.id !== id) return;
        this.#socket.off("message", listen);
        resolve(message.result);
      };
      this.#socket.on("message", listen);
    });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answered;
  }

  close(): void {
    this.#socket.close();
  }
}
